//! The rate limit service: descriptors of `envoyproxy/ratelimit`, decided by the same engine and store.

mod decide;
mod load;
mod tree;

pub use decide::{Override, RlsDescriptor, RlsError, RlsLimit, RlsRequest, RlsResponse, RlsStatus, should_rate_limit};
pub use load::{load_descriptors, parse_descriptors};
pub use tree::{DescriptorTree, Unit};
