//! What public keys are made of (RFC 7518 §6, RFC 8037 §2), checked before a key is ever used.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use super::algorithm::Family;

/// A key as the library takes it, with what tells it apart from others.
type Material = (Family, DecodingKey, [u8; 32]);

/// RSA of 2048 to 8192 bits (RFC 7518 §3.3: at least 2048).
pub(super) fn rsa(n: &str, e: &str) -> Result<Material, &'static str> {
    let (n, e) = (number(n)?, number(e)?);
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err("its modulus has less than 2048 or more than 8192 bits");
    }
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    // Larger exponents only make verification slow; an even one, or 1, is no RSA key.
    if !odd(&n) || !odd(&e) || e.len() > 4 || e == [1] {
        return Err("its modulus or exponent is no RSA key");
    }
    let fingerprint = crate::sha256(&[b"RSA", n.as_slice(), b".", &e].concat());
    Ok((Family::Rsa, DecodingKey::from_rsa_raw_components(&n, &e), fingerprint))
}

/// A point on P-256 or P-384.
pub(super) fn ec(curve: &str, x: &str, y: &str) -> Result<Material, &'static str> {
    let (family, algorithm, bytes): (_, &'static dyn VerificationAlgorithm, _) = match curve {
        "P-256" => (Family::P256, &ECDSA_P256_SHA256_FIXED, 32),
        "P-384" => (Family::P384, &ECDSA_P384_SHA384_FIXED, 48),
        _ => return Err("its curve is not accepted"),
    };
    let (x, y) = (decode(x)?, decode(y)?);
    if x.len() != bytes || y.len() != bytes {
        return Err("its coordinates are not as long as its curve says");
    }
    // SEC 1 §2.3.3: uncompressed.
    let point = [&[4], x.as_slice(), &y].concat();
    if ParsedPublicKey::new(algorithm, &point).is_err() {
        return Err("it is no point of its curve");
    }
    let fingerprint = crate::sha256(&[curve.as_bytes(), &point].concat());
    Ok((family, DecodingKey::from_ec_der(&point), fingerprint))
}

/// Ed25519 (RFC 8037 §2).
pub(super) fn ed25519(curve: &str, x: &str) -> Result<Material, &'static str> {
    if curve != "Ed25519" {
        return Err("its curve is not accepted");
    }
    let x = decode(x)?;
    if x.len() != 32 || ParsedPublicKey::new(&ED25519, &x).is_err() {
        return Err("it is no Ed25519 key");
    }
    let fingerprint = crate::sha256(&[b"Ed25519", x.as_slice()].concat());
    Ok((Family::Ed25519, DecodingKey::from_ed_der(&x), fingerprint))
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_undecodable| "a part is no base64url")
}

/// A big-endian number. Some issuers put zeros in front (RFC 7518 §6.3.1.1 warns of it), which the library does not take.
fn number(text: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes.into_iter().skip(zeros).collect())
}
