//! Rego policies through `regorus`: load, check, compile, evaluate, cache decisions. Knows nothing of HTTP routing.
//!
//! ```text
//! folder ──► load: files, parse under a deadline, refuse recursion ──► compile: RVM or interpreter per entry point
//!                                                                         │
//! request ──► input: only the parts that can be read ──► decision cache ──► worker-private VM ──► result ──► allow | denial
//! ```
//!
//! Whatever goes wrong with a policy (undefined, error, panic, time or instruction limit, a value that is no
//! decision) is a denial. Nothing here awaits, and nothing is shared between worker threads while a request is decided.

mod analysis;
mod builtins;
pub mod bundle;
mod cache;
mod config;
#[cfg(test)]
mod conformance;
pub mod decision_log;
mod engine;
pub mod http_send;
mod input;
mod load;
pub mod opa;
mod result;
mod set;
pub mod vet;

pub use crate::config::{BundleConfig, DecisionCacheConfig, EntryPointUse, PolicyConfig};
pub use crate::set::{
    EngineKind, EntryPointDescription, EntryPointId, LimitSteer, PolicyAllow, PolicyInput, PolicySet, PolicyStats,
    RouteValue,
};
