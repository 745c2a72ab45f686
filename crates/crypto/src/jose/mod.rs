//! JSON Web Signatures, read strictly before any library is asked (RFC 7515, RFC 7517, RFC 7518, RFC 8037, RFC 8725).

mod algorithm;
mod header;
mod json;
mod jwk;
#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, Family};
pub use header::{HeaderFault, JoseHeader, Jws, split};
pub use json::unique_object;
pub use jwk::{Jwk, Jwks, JwksError, parse_jwks};
