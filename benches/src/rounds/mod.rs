//! Rounds: every case once, in another order each time, the yardstick always among them.

mod case;
mod measure;
mod server;
mod summary;
mod table;

pub use case::{CASES, Case};
pub use measure::{Bench, Sample};
pub use summary::{Summary, summarize};
pub use table::markdown;
