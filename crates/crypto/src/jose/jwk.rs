//! Key sets (RFC 7517).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Family};
use super::json::unique_object;

/// The largest key set, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// The most keys in a set.
const MAX_KEYS: usize = 100;

/// A public key that verifies signatures.
pub struct Jwk {
    /// `kid`.
    pub kid: Option<String>,
    /// `alg`, when the key says it is for one algorithm only.
    pub algorithm: Option<Algorithm>,
    /// What kind of key it is.
    pub family: Family,
    /// SHA-256 over what makes the key: tells keys apart across refreshes.
    pub fingerprint: [u8; 32],
    key: DecodingKey,
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk").field("kid", &self.kid).field("family", &self.family).finish_non_exhaustive()
    }
}

impl Jwk {
    /// A shared secret for HS256, HS384 and HS512.
    pub fn secret(secret: &[u8]) -> Self {
        Self {
            kid: None,
            algorithm: None,
            family: Family::Secret,
            fingerprint: crate::sha256(secret),
            key: DecodingKey::from_secret(secret),
        }
    }

    /// True when the key may be used with the algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.family == algorithm.family() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Verifies a signature over `signed`. A key that does not fit the algorithm verifies nothing.
    pub fn verify(&self, algorithm: Algorithm, signed: &str, signature: &str) -> bool {
        self.fits(algorithm)
            && jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, algorithm.library())
                .unwrap_or(false)
    }
}

/// A key set: the keys that can be used, and why others cannot.
#[derive(Debug, Default)]
pub struct Jwks {
    /// Usable keys.
    pub keys: Vec<Arc<Jwk>>,
    /// Why a key of the set is left out.
    pub skipped: Vec<String>,
}

/// Why a text is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Larger than 1 MiB, or more than 100 keys.
    #[error("the key set is too large")]
    TooLarge,
    /// Not a JSON object with a list `keys`.
    #[error("not a JSON key set")]
    Malformed,
    /// There are keys, and none of them can be used.
    #[error("the key set has no usable key: {0}")]
    Empty(String),
}

/// Reads a key set.
///
/// # Errors
/// [`JwksError`] when there is no usable key in it.
pub fn parse_jwks(json: &[u8]) -> Result<Jwks, JwksError> {
    if json.len() > MAX_BYTES {
        return Err(JwksError::TooLarge);
    }
    let set = unique_object(json).ok_or(JwksError::Malformed)?;
    let list = set.get("keys").and_then(Value::as_array).ok_or(JwksError::Malformed)?;
    if list.len() > MAX_KEYS {
        return Err(JwksError::TooLarge);
    }
    let mut jwks = Jwks::default();
    for (i, key) in list.iter().enumerate() {
        match key.as_object().ok_or("not an object").and_then(usable) {
            Ok(key) => jwks.keys.push(Arc::new(key)),
            Err(why) => jwks.skipped.push(format!("key {i}: {why}")),
        }
    }
    // An issuer that takes all its keys away means it; one whose keys we cannot use may be read wrongly.
    if jwks.keys.is_empty() && !list.is_empty() {
        return Err(JwksError::Empty(jwks.skipped.join(", ")));
    }
    Ok(jwks)
}

fn usable(map: &Map<String, Value>) -> Result<Jwk, &'static str> {
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| map.contains_key(*name)) {
        return Err("it is not a public key");
    }
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return Err("it is not for signatures");
    }
    let operations = map.get("key_ops").and_then(Value::as_array);
    if operations.is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
        return Err("it is not for verifying");
    }
    let algorithm = match text("alg") {
        None => None,
        Some(name) => Some(Algorithm::parse(name).ok_or("its algorithm is unknown")?),
    };
    let field = |name: &str| text(name).ok_or("a part is missing");
    let (family, made, material) = match text("kty") {
        Some("RSA") => {
            let (n, e) = (field("n")?, field("e")?);
            let bits = significant_bits(n).ok_or("its modulus is no base64url")?;
            if !(2048..=8192).contains(&bits) {
                return Err("its modulus has less than 2048 or more than 8192 bits");
            }
            (Family::Rsa, DecodingKey::from_rsa_components(n, e), format!("RSA.{n}.{e}"))
        }
        Some("EC") => {
            let (crv, x, y) = (field("crv")?, field("x")?, field("y")?);
            let family = match crv {
                "P-256" => Family::P256,
                "P-384" => Family::P384,
                _ => return Err("its curve is not accepted"),
            };
            (family, DecodingKey::from_ec_components(x, y), format!("EC.{crv}.{x}.{y}"))
        }
        Some("OKP") => {
            let x = field("x")?;
            if text("crv") != Some("Ed25519") {
                return Err("its curve is not accepted");
            }
            (Family::Ed25519, DecodingKey::from_ed_components(x), format!("OKP.{x}"))
        }
        _ => return Err("its type is not accepted"),
    };
    let key = made.map_err(|_unreadable| "its parts cannot be read")?;
    if algorithm.is_some_and(|a| a.family() != family) {
        return Err("its algorithm does not fit its type");
    }
    Ok(Jwk {
        kid: text("kid").map(str::to_owned),
        algorithm,
        family,
        fingerprint: crate::sha256(material.as_bytes()),
        key,
    })
}

/// Bits of a big-endian number in base64url, leading zeros not counted.
fn significant_bits(number: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(number).ok()?;
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    let first = bytes.get(zeros)?;
    Some((bytes.len() - zeros) * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0))
}
