//! Key sets (RFC 7517).

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Family};
use super::json::unique_object;
use super::material;

/// The largest key set, in bytes.
pub const MAX_JWKS_BYTES: usize = 1024 * 1024;
/// The most keys in a set.
const MAX_KEYS: usize = 100;
/// Members that only private and shared keys have (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key, or a shared secret, that verifies signatures.
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

    /// True when the key may be used with the algorithm: its type, its curve and its own `alg` have to fit.
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
    /// Usable keys; none when the issuer publishes an empty list.
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
    /// Not a JSON object with a list `keys`, or a name stands twice in it.
    #[error("not a JSON key set")]
    Malformed,
    /// There are keys, and none of them can be used.
    #[error("the key set has no usable key: {0}")]
    Empty(String),
}

/// Reads a key set. Keys that cannot be used are left out and named (RFC 7517 §5).
///
/// # Errors
/// [`JwksError`] when it is no key set, too large, or when there are keys and none of them can be used.
pub fn parse_jwks(json: &[u8]) -> Result<Jwks, JwksError> {
    if json.len() > MAX_JWKS_BYTES {
        return Err(JwksError::TooLarge);
    }
    let set = unique_object(json).ok_or(JwksError::Malformed)?;
    let list = set.get("keys").and_then(Value::as_array).ok_or(JwksError::Malformed)?;
    if list.len() > MAX_KEYS {
        return Err(JwksError::TooLarge);
    }
    let mut jwks = Jwks::default();
    for (i, key) in list.iter().enumerate() {
        match key.as_object().ok_or("it is no object").and_then(usable) {
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
    if PRIVATE.iter().any(|name| map.contains_key(*name)) {
        return Err("it is not a public key: whoever reads this set could sign");
    }
    if text(map, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err("it is not for signatures");
    }
    match map.get("key_ops") {
        None => {}
        Some(Value::Array(operations)) if operations.iter().any(|op| op == "verify") => {}
        Some(_) => return Err("it is not for verifying"),
    }
    let algorithm = match text(map, "alg")? {
        None => None,
        Some(name) => Some(Algorithm::parse(name).ok_or("its algorithm is not accepted")?),
    };
    let (family, key, fingerprint) = public_key(map)?;
    if algorithm.is_some_and(|a| a.family() != family) {
        return Err("its algorithm does not fit its type");
    }
    Ok(Jwk { kid: text(map, "kid")?.map(str::to_owned), algorithm, family, fingerprint, key })
}

fn public_key(map: &Map<String, Value>) -> Result<(Family, DecodingKey, [u8; 32]), &'static str> {
    let field = |name: &str| text(map, name)?.ok_or("a part is missing");
    match field("kty")? {
        "RSA" => material::rsa(field("n")?, field("e")?),
        "EC" => material::ec(field("crv")?, field("x")?, field("y")?),
        "OKP" => material::ed25519(field("crv")?, field("x")?),
        _ => Err("its type is not accepted"),
    }
}

/// A member that is text when it is there at all.
fn text<'m>(map: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, &'static str> {
    match map.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("a part is no text"),
    }
}
