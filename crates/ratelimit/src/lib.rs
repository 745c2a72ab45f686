//! Limits: rates, algorithms, the store of counters, and `envoyproxy/ratelimit` descriptors. Knows nothing of HTTP.
//!
//! The `limit` stage charges all limits of a request [`Charging::AllOrNone`]; the rate limit service charges descriptors
//! one by one ([`Charging::Each`]), as envoyproxy/ratelimit does. Both use one [`Store`]; their keys are disjoint.

mod algorithm;
mod config;
mod key;
mod limit;
mod rate;
mod rls;
mod store;

pub use crate::config::{
    AlgorithmConfig, LimitConfig, MissingKey, PerConfig, RateLimitConfig, RateLimits, ResponseHeadersConfig,
};
pub use key::{Key, KeyBuilder};
pub use limit::{Charge, Charging, Limit, LimitStatus};
pub use rate::Rate;
pub use rls::{
    DescriptorTree, Override, RlsDescriptor, RlsError, RlsLimit, RlsRequest, RlsResponse, RlsStatus, Unit,
    load_descriptors, parse_descriptors, should_rate_limit,
};
pub use store::{MemoryStore, Store, StoreError};
