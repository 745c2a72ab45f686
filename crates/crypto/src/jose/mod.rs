//! JSON Web Signatures, read strictly before any library is asked (RFC 7515, RFC 7517, RFC 7518, RFC 8037, RFC 8725).
//!
//! | what | where it is refused |
//! |---|---|
//! | not three parts of base64url, five parts (JWE), a name that stands twice | [`split`], [`Jws::header`], [`Jws::claims`] |
//! | `alg: none` and unknown algorithms, `crit`, `b64`, `enc`, `zip` | [`Jws::header`] |
//! | a key of another type, curve or `alg` than the token's | [`Jwk::fits`] |
//! | private, short, malformed and off-curve keys | [`parse_jwks`] |
//!
//! `jku`, `x5u`, `jwk` and `x5c` of a header are never looked at: a token does not bring its own key.

mod algorithm;
mod header;
mod json;
mod jwk;
mod material;
#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, Family};
pub use header::{HeaderFault, JoseHeader, Jws, split};
pub use json::unique_object;
pub use jwk::{Jwk, Jwks, JwksError, MAX_JWKS_BYTES, parse_jwks};
