//! `gatehouse opa run` against opa-envoy-plugin and the no-op server: the same policies, data and requests.
//!
//! ```text
//! case ──► policy and data (policies, routes) ──► files ─┬─► no-op, Gatehouse, plugin, each fresh ◄── bench-load
//!      ──► requests, with the answers they must get ─────┴─► the engine alone, in this process
//! samples of all rounds ──► lines, goals ──► table, JSON, page
//! ```

mod case;
mod engine;
mod facts;
mod goals;
mod measure;
mod page;
mod policies;
mod prepared;
mod programs;
mod requests;
mod routes;
mod summary;

pub use case::{CASES, Case};
pub use facts::Facts;
pub use goals::{Goal, goals};
pub use measure::{PolicyBench, Round};
pub use page::{page, table};
pub use summary::{Line, summarize};
