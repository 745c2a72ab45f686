//! Wire formats and Envoy-facing services: the only crate that sees Envoy's protobuf types.
//!
//! Bytes come in on a listener ([`config`]), are indexed ([`wire`]), decided behind the seam [`Decide`], and the
//! answer goes out as bytes. Nothing here decides anything: what a request is allowed to do is settled in
//! `pipeline`, and every fault on the way to it is a denial.

pub mod config;
mod decide;
mod grpc;
mod reflection;
mod server;
mod services;
pub mod wire;

pub use crate::config::{ServerConfig, ServerPlan, TrustedAttribute};
pub use decide::{Check, Decide, Decided, Reply, RlsFault};
pub use server::tls::TlsError;
pub use server::{Dependency, GatewayParts, Probes, Readiness, ServeError, serve};
