//! Benchmarks: the no-op yardstick, the load generator, the table.
//!
//! ```text
//! bench ──► fixtures (keys, tokens, requests, configurations)
//!       ──► for each round, in shuffled order, for each case:
//!              server (no-op or Gatehouse) on core 0 ◄── Unix socket ──► bench-load on core 1
//!       ──► table, target/bench/latest.json
//! ```
//! `bench-policy` (module `policy`) does the same with a third program, opa-envoy-plugin.
//!
//! Speeds are shares of the no-op server's in the same run: it decodes the request with tonic and prost and gives
//! a constant answer. CPU time per request counts, not wall time. Every answer is checked.

pub mod fixture;
pub mod load;
pub mod plan;
pub mod policy;
pub mod procfs;
pub mod random;
pub mod rounds;
