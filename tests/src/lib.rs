//! The harness of the end-to-end tests and of the demo: real programs, started and stopped as a user would.
//!
//! ```text
//! client ──► Envoy (one of envoy/*.yaml) ──► Gatehouse (the built program) ──► keys (server with faults)
//!                       └──────────────────► upstream (echoes what it saw)
//! ```
//! Each [`Stack`] owns a folder under the system's temporary directory, its ports and its processes; all of them go when
//! it is dropped, except the folder of a test that failed, whose logs are kept and named.
//!
//! Knows nothing of Gatehouse's crates: it sees what a user sees.

mod bins;
mod client;
mod envoy;
mod gatehouse;
mod jwks;
mod keys;
mod load;
pub mod opa;
mod ports;
mod process;
mod stack;
mod tls;
pub mod upstream;

pub use bins::{envoy_path, gatehouse_path, repository};
pub use client::{Ask, Client, Protocol, Reply, grpc_frame, raw, tls_trusting};
pub use envoy::{Envoy, EnvoyOptions, Sample};
pub use gatehouse::{Gatehouse, LISTENERS};
pub use jwks::{Fault, JwksServer};
pub use keys::{Claims, Issuer, Kind, SigningKey, now_s};
pub use load::{Load, Outcome, run as run_load};
pub use ports::free_port;
pub use process::{Process, eventually};
pub use stack::{Link, Stack, StackBuilder};
pub use tls::Authority;
