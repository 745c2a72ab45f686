//! The compact form and its header.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::json::unique_object;

/// The parts of a compact JWS (RFC 7515 §7.1), still encoded.
#[derive(Debug, Clone, Copy)]
pub struct Jws<'a> {
    /// Header and payload with the dot between them: what is signed.
    pub signed: &'a str,
    /// Signature, base64url.
    pub signature: &'a str,
    header: &'a str,
    payload: &'a str,
}

/// A header that was read in full and understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoseHeader {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub kid: Option<String>,
    /// `typ`, lower case, without `application/`.
    pub typ: Option<String>,
}

/// Why a token is not one that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// Not three parts of base64url.
    #[error("the token is not in compact form")]
    NotCompact,
    /// Five parts: a JWE.
    #[error("the token is encrypted")]
    Encrypted,
    /// The header is no JSON object, or a name stands twice in it.
    #[error("the token's header is malformed")]
    Malformed,
    /// `alg` is missing, `none` or unknown (RFC 8725 §3.1, §3.2).
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// `crit` names what we don't understand, which is anything (RFC 7515 §4.1.11).
    #[error("the token has critical parameters that are not understood")]
    Critical,
}

/// The longest header, encoded: room for any certificate chain that we ignore would be wasted.
const MAX_HEADER: usize = 8192;

/// Splits a token into its parts.
///
/// # Errors
/// [`HeaderFault::NotCompact`] or [`HeaderFault::Encrypted`].
pub fn split(token: &str) -> Result<Jws<'_>, HeaderFault> {
    let dots = token.bytes().filter(|b| *b == b'.').count();
    if dots == 4 {
        return Err(HeaderFault::Encrypted);
    }
    let parts =
        token.rsplit_once('.').and_then(|(signed, signature)| Some((signed, signature, signed.split_once('.')?)));
    let Some((signed, signature, (header, payload))) = parts.filter(|_| dots == 2) else {
        return Err(HeaderFault::NotCompact);
    };
    let alphabet = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let fine = [header, payload, signature].iter().all(|part| !part.is_empty() && alphabet(part));
    if fine { Ok(Jws { signed, signature, header, payload }) } else { Err(HeaderFault::NotCompact) }
}

impl Jws<'_> {
    /// Reads the header. Keys and addresses in it (`jwk`, `jku`, `x5c`, `x5u`) are never used.
    ///
    /// # Errors
    /// [`HeaderFault`].
    pub fn header(&self) -> Result<JoseHeader, HeaderFault> {
        if self.header.len() > MAX_HEADER {
            return Err(HeaderFault::Malformed);
        }
        let json = URL_SAFE_NO_PAD.decode(self.header).map_err(|_undecodable| HeaderFault::Malformed)?;
        let map = unique_object(&json).ok_or(HeaderFault::Malformed)?;
        if map.contains_key("crit") || map.contains_key("b64") {
            return Err(HeaderFault::Critical);
        }
        if map.contains_key("enc") || map.contains_key("zip") {
            return Err(HeaderFault::Encrypted);
        }
        let text = |name: &str| match map.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(HeaderFault::Malformed),
        };
        let algorithm = text("alg")?.and_then(|name| Algorithm::parse(&name)).ok_or(HeaderFault::Algorithm)?;
        let typ = text("typ")?.map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned)
        });
        Ok(JoseHeader { algorithm, kid: text("kid")?, typ })
    }

    /// The claims, as a JSON object in which every name stands once. They prove nothing before the signature is verified.
    pub fn claims(&self) -> Option<serde_json::Map<String, Value>> {
        unique_object(&URL_SAFE_NO_PAD.decode(self.payload).ok()?)
    }
}
