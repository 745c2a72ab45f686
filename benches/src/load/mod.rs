//! The load generator: replays identical serialized requests and checks every answer.
//!
//! One thread that polls busily, on a core of its own: a generator that sleeps measures its own timers. It speaks as
//! much HTTP/2 as that needs (module `h2`), because a full client would cost more than the servers it measures.

mod answer;
mod connection;
mod generator;
mod h2;
mod pace;
mod report;
mod socket;

pub use answer::verdict;
pub use generator::{LoadOptions, run};
pub use pace::Pace;
pub use report::{Latency, LoadReport};
pub use socket::Target;
