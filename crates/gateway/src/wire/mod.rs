//! Envoy's bytes in, Envoy's bytes out.
//!
//! Requests are never turned into message structs on the request path: an index over the received bytes answers what the
//! pipeline asks. Responses are written straight to bytes. `envoy-types` (prost) is the oracle in tests: for all bytes,
//! the index accepts exactly what prost accepts and says the same.

pub mod check;
mod reader;
pub mod respond;
pub mod rls;
mod schema;
mod writer;

#[cfg(test)]
mod generate;

pub use check::{CheckIndex, Scratch};
pub use reader::Malformed;
pub use respond::plugin::{Encoded, encode_plugin_reply};
pub use respond::{encode_answer, refuse};
