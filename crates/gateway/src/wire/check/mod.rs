//! `envoy.service.auth.v3.CheckRequest` as an index over the received bytes.

mod attributes;
mod index;
mod json;

#[cfg(test)]
mod tests;

pub use index::{CheckIndex, Scratch};
