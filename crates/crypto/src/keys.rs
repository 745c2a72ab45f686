//! Keys in the forms that people write them in policies: PEM certificates and public keys, JWK, JWK sets, shared secrets.
//!
//! For tokens of an issuer there is [`jose`](crate::jose), which accepts less. What is here verifies and signs as OPA's `io.jwt`
//! builtins do.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde_json::{Map, Value};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate};
use x509_parser::public_key::PublicKey as X509Key;

/// Why a key cannot be used, or a signature not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor JWK.
    #[error("neither a PEM certificate or public key nor a JWK or key set")]
    Format,
    /// A part is missing, or not what it should be.
    #[error("the key is malformed")]
    Malformed,
    /// A type, curve or algorithm that is not known.
    #[error("unknown algorithm or type of key")]
    Unknown,
    /// The key is for something else.
    #[error("the key is not for this algorithm")]
    Unfit,
    /// The library refused.
    #[error("the signature could not be made")]
    Failed,
}

/// A key that verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    /// `kid`, when it came from a JWK.
    pub kid: Option<String>,
    material: Material,
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Field size in bytes and the uncompressed point (SEC 1 §2.3.3).
    Ec {
        field: usize,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

/// Reads a PEM certificate, a PEM public key, a JWK or a key set. Keys of a set that are of no known type are left out.
///
/// # Errors
/// [`KeyError`].
pub fn verifying_keys(text: &str) -> Result<Vec<VerifyingKey>, KeyError> {
    if text.contains("-----BEGIN") {
        return pem_key(text).map(|material| vec![VerifyingKey { kid: None, material }]);
    }
    let json: Map<String, Value> = serde_json::from_str(text).map_err(|_no_json| KeyError::Format)?;
    match json.get("keys").and_then(Value::as_array) {
        Some(keys) => {
            let read = keys.iter().filter_map(Value::as_object).map(jwk);
            Ok(read.filter_map(Result::ok).collect())
        }
        None => jwk(&json).map(|key| vec![key]),
    }
}

/// A shared secret for HS256, HS384 and HS512.
pub fn shared_secret(secret: &[u8]) -> VerifyingKey {
    VerifyingKey { kid: None, material: Material::Secret(secret.to_vec()) }
}

fn pem_key(text: &str) -> Result<Material, KeyError> {
    if let Ok(certificate) = CertificateDer::from_pem_slice(text.as_bytes()) {
        let (_, certificate) =
            X509Certificate::from_der(&certificate).map_err(|_no_certificate| KeyError::Malformed)?;
        return spki(certificate.public_key());
    }
    let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_no_key| KeyError::Format)?;
    let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_no_key| KeyError::Malformed)?;
    spki(&info)
}

/// RFC 5280 §4.1.2.7, RFC 8410 §3.
fn spki(info: &SubjectPublicKeyInfo<'_>) -> Result<Material, KeyError> {
    if info.algorithm.algorithm.to_id_string() == "1.3.101.112" {
        return Ok(Material::Ed25519(info.subject_public_key.data.to_vec()));
    }
    match info.parsed().map_err(|_unreadable| KeyError::Malformed)? {
        X509Key::RSA(key) => Ok(Material::Rsa { n: number(key.modulus), e: number(key.exponent) }),
        X509Key::EC(point) => Ok(Material::Ec { field: point.data().len() / 2, point: point.data().to_vec() }),
        X509Key::DSA(_) | X509Key::GostR3410(_) | X509Key::GostR3410_2012(_) | X509Key::Unknown(_) => {
            Err(KeyError::Unknown)
        }
    }
}

/// RFC 7517, RFC 7518 §6, RFC 8037 §2.
fn jwk(map: &Map<String, Value>) -> Result<VerifyingKey, KeyError> {
    let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    let material = match text("kty").as_deref() {
        Some("RSA") => Material::Rsa { n: number(&part(map, "n")?), e: number(&part(map, "e")?) },
        Some("EC") => {
            let point = point(map)?;
            Material::Ec { field: point.len() / 2, point }
        }
        Some("OKP") => Material::Ed25519(part(map, "x")?),
        Some("oct") => Material::Secret(part(map, "k")?),
        _ => return Err(KeyError::Unknown),
    };
    Ok(VerifyingKey { kid: text("kid"), material })
}

fn part(map: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyError> {
    let text = map.get(name).and_then(Value::as_str).ok_or(KeyError::Malformed)?;
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_undecodable| KeyError::Malformed)
}

/// Uncompressed, with coordinates as long as the curve's field.
fn point(map: &Map<String, Value>) -> Result<Vec<u8>, KeyError> {
    let field: usize = match map.get("crv").and_then(Value::as_str) {
        Some("P-256") => 32,
        Some("P-384") => 48,
        Some("P-521") => 66,
        _ => return Err(KeyError::Unknown),
    };
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = number(&part(map, name)?);
        let zeros = field.checked_sub(coordinate.len()).ok_or(KeyError::Malformed)?;
        point.resize(point.len() + zeros, 0);
        point.extend(coordinate);
    }
    Ok(point)
}

fn number(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().skip_while(|byte| **byte == 0).copied().collect()
}

impl VerifyingKey {
    /// Verifies a JWS signature (RFC 7518 §3).
    ///
    /// # Errors
    /// [`KeyError::Unknown`] for an algorithm that is not known, [`KeyError::Unfit`] when the key is of another type.
    pub fn verify(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
        match (&self.material, algorithm) {
            (Material::Secret(secret), "HS256" | "HS384" | "HS512") => {
                let key = hmac::Key::new(hmac_algorithm(algorithm)?, secret);
                Ok(hmac::verify(&key, signed, signature).is_ok())
            }
            (Material::Rsa { n, e }, _) => {
                let parameters = rsa_parameters(algorithm).ok_or(KeyError::Unfit)?;
                Ok(RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok())
            }
            (Material::Ec { field, point }, "ES256" | "ES384" | "ES512") => {
                let (wanted, parameters): (_, &'static dyn VerificationAlgorithm) = match algorithm {
                    "ES256" => (32, &signature::ECDSA_P256_SHA256_FIXED),
                    "ES384" => (48, &signature::ECDSA_P384_SHA384_FIXED),
                    _ => (66, &signature::ECDSA_P521_SHA512_FIXED),
                };
                if *field != wanted {
                    return Err(KeyError::Unfit);
                }
                Ok(UnparsedPublicKey::new(parameters, point).verify(signed, signature).is_ok())
            }
            (Material::Ed25519(key), "EdDSA") => {
                Ok(UnparsedPublicKey::new(&signature::ED25519, key).verify(signed, signature).is_ok())
            }
            (Material::Secret(_) | Material::Ec { .. } | Material::Ed25519(_), _) => Err(KeyError::Unfit),
        }
    }
}

fn rsa_parameters(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn hmac_algorithm(name: &str) -> Result<hmac::Algorithm, KeyError> {
    Ok(match name {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return Err(KeyError::Unknown),
    })
}

/// Signs as a JWS with a private or shared JWK (RFC 7518 §3).
///
/// # Errors
/// [`KeyError`].
pub fn sign(algorithm: &str, jwk: &Map<String, Value>, signed: &[u8]) -> Result<Vec<u8>, KeyError> {
    match jwk.get("kty").and_then(Value::as_str) {
        Some("oct") => {
            let key = hmac::Key::new(hmac_algorithm(algorithm)?, &part(jwk, "k")?);
            Ok(hmac::sign(&key, signed).as_ref().to_vec())
        }
        Some("RSA") => sign_rsa(algorithm, jwk, signed),
        Some("EC") => {
            let parameters: &'static EcdsaSigningAlgorithm = match algorithm {
                "ES256" => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                "ES384" => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                "ES512" => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
                _ => return Err(KeyError::Unfit),
            };
            let pair = EcdsaKeyPair::from_private_key_and_public_key(parameters, &part(jwk, "d")?, &point(jwk)?);
            let pair = pair.map_err(|_inconsistent| KeyError::Malformed)?;
            let made = pair.sign(&SystemRandom::new(), signed).map_err(|_unspecified| KeyError::Failed)?;
            Ok(made.as_ref().to_vec())
        }
        Some("OKP") if algorithm == "EdDSA" => {
            let pair = Ed25519KeyPair::from_seed_and_public_key(&part(jwk, "d")?, &part(jwk, "x")?);
            Ok(pair.map_err(|_inconsistent| KeyError::Malformed)?.sign(signed).as_ref().to_vec())
        }
        _ => Err(KeyError::Unknown),
    }
}

fn sign_rsa(algorithm: &str, jwk: &Map<String, Value>, signed: &[u8]) -> Result<Vec<u8>, KeyError> {
    let padding: &'static dyn RsaEncoding = match algorithm {
        "RS256" => &signature::RSA_PKCS1_SHA256,
        "RS384" => &signature::RSA_PKCS1_SHA384,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "PS384" => &signature::RSA_PSS_SHA384,
        "PS512" => &signature::RSA_PSS_SHA512,
        _ => return Err(KeyError::Unfit),
    };
    let (n, e) = (number(&part(jwk, "n")?), number(&part(jwk, "e")?));
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n, e },
        d: part(jwk, "d")?,
        p: part(jwk, "p")?,
        q: part(jwk, "q")?,
        dP: part(jwk, "dp")?,
        dQ: part(jwk, "dq")?,
        qInv: part(jwk, "qi")?,
    };
    let pair = RsaKeyPair::from_components(&components).map_err(|_inconsistent| KeyError::Malformed)?;
    let mut out = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), signed, &mut out).map_err(|_unspecified| KeyError::Failed)?;
    Ok(out)
}

/// A digest for [`hmac_of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1; for old peers only.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// HMAC (RFC 2104) over `data`.
pub fn hmac_of(digest: Digest, key: &[u8], data: &[u8]) -> Vec<u8> {
    let algorithm = match digest {
        Digest::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Digest::Sha256 => hmac::HMAC_SHA256,
        Digest::Sha512 => hmac::HMAC_SHA512,
    };
    hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
}

/// SHA-1 (FIPS 180-4); for old peers only.
pub fn sha1(data: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        // RFC 8037 appendix A.1, RFC 7515 appendices A.1 and A.3.
        let keys = [
            (
                "EdDSA",
                r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            ),
            (
                "ES256",
                r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#,
            ),
            (
                "HS512",
                r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
            ),
        ];
        for (algorithm, key) in keys {
            let made = sign(algorithm, &object(key), b"text").unwrap();
            let verifying = verifying_keys(key).unwrap();
            assert_eq!(verifying[0].verify(algorithm, b"text", &made), Ok(true), "{algorithm}");
            assert_eq!(verifying[0].verify(algorithm, b"texT", &made), Ok(false), "{algorithm}");
            assert_eq!(verifying[0].verify("RS256", b"text", &made), Err(KeyError::Unfit), "{algorithm}");
            assert!(sign("none", &object(key), b"text").is_err());
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"kty":"RSA"}"#,
            r#"{"kty":"EC","crv":"P-999","x":"","y":""}"#,
            "-----BEGIN X-----",
        ] {
            assert!(verifying_keys(text).is_err(), "{text}");
        }
        assert!(verifying_keys(r#"{"keys":[{"kty":"x"}]}"#).unwrap().is_empty());
    }

    #[test]
    fn certificates_and_public_keys_verify() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&pair).unwrap();
        let signing =
            EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der()).unwrap();
        let made = signing.sign(&SystemRandom::new(), b"text").unwrap();
        for pem in [certificate.pem(), pair.public_key_pem()] {
            let keys = verifying_keys(&pem).unwrap();
            assert_eq!(keys[0].verify("ES256", b"text", made.as_ref()), Ok(true), "{pem}");
            assert_eq!(keys[0].verify("ES384", b"text", made.as_ref()), Err(KeyError::Unfit), "{pem}");
        }
        assert!(verifying_keys(&pair.serialize_pem()).is_err(), "a private key is no public one");
    }

    #[test]
    fn rsa_keys_verify_in_both_paddings() {
        use aws_lc_rs::signature::KeyPair as _;

        let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = pair.public_key();
        let (n, e) =
            (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
        let jwk = serde_json::json!({ "kty": "RSA", "n": number(n), "e": number(e) });
        let keys = verifying_keys(&jwk.to_string()).unwrap();
        let paddings: [(&str, &'static dyn RsaEncoding); 2] =
            [("RS256", &signature::RSA_PKCS1_SHA256), ("PS512", &signature::RSA_PSS_SHA512)];
        for (algorithm, padding) in paddings {
            let mut made = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), b"text", &mut made).unwrap();
            assert_eq!(keys[0].verify(algorithm, b"text", &made), Ok(true), "{algorithm}");
            assert_eq!(keys[0].verify("RS384", b"text", &made), Ok(false), "{algorithm}");
        }
        assert_eq!(keys[0].verify("ES256", b"text", b""), Err(KeyError::Unfit));
    }
}
