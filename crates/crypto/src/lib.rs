//! The only crate that calls crypto primitives: JOSE verification, digests, randomness, the TLS provider.

pub mod jose;

use aws_lc_rs::digest;

/// Makes aws-lc-rs the TLS provider of the process. Calling it again changes nothing.
pub fn install_default_provider() {
    // The only failure is that a provider is there already, and this crate is the only one to install any.
    let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest::digest(&digest::SHA256, data).as_ref()) {
        *to = *from;
    }
    out
}

/// Compares in constant time; lengths may be told apart.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
