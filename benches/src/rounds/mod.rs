//! Rounds: every case once, in another order each time, the yardstick always among them.

mod case;
pub(crate) mod generator_run;
mod measure;
pub(crate) mod server;
pub(crate) mod summary;
mod table;

pub use case::{CASES, Case};
pub use measure::{Bench, Sample};
pub use summary::{Summary, summarize};
pub use table::markdown;
