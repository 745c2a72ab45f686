//! The only crate that calls crypto primitives: JOSE verification, digests, randomness, the TLS provider.

pub mod jose;
pub mod keys;

use aws_lc_rs::{digest, hmac, rand};

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

/// A digest by the name that signatures of bundles give it (`SHA-256`, `SHA-512-256`, …; FIPS 180-4); `None` for one that is not
/// offered, such as `MD5`.
pub fn digest_by_name(name: &str, data: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match name {
        "SHA-1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "SHA-224" => &digest::SHA224,
        "SHA-256" => &digest::SHA256,
        "SHA-384" => &digest::SHA384,
        "SHA-512" => &digest::SHA512,
        "SHA-512-256" => &digest::SHA512_256,
        _ => return None,
    };
    Some(digest::digest(algorithm, data).as_ref().to_vec())
}

/// HMAC-SHA-256 (RFC 2104).
pub fn mac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// Bytes as hexadecimal digits in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why there is no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's source of randomness failed")]
pub struct NoRandomness;

/// Fills `out` with random bytes that nobody can guess.
///
/// # Errors
/// [`NoRandomness`]; `out` must not be used then.
pub fn random_bytes(out: &mut [u8]) -> Result<(), NoRandomness> {
    rand::fill(out).map_err(|_unspecified| NoRandomness)
}

/// Compares in constant time; lengths may be told apart.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        // FIPS 180-4, example B.1.
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // RFC 4231 §4.3.
        let tag = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&mac(b"Jefe", b"what do ya want for nothing?")), tag);
    }

    #[test]
    fn comparison_and_randomness() {
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd") && !constant_time_eq(b"abc", b"ab"));
        let (mut a, mut b) = ([0; 32], [0; 32]);
        random_bytes(&mut a).unwrap();
        random_bytes(&mut b).unwrap();
        assert_ne!(a, b);
    }
}
