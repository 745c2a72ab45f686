//! Every algorithm signs and verifies; no key verifies for another algorithm than its own.

use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self as sig, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::jose::{Algorithm, Jwk, parse_jwks};

const SIGNED: &str = "eyJhbGciOiJ4In0.e30";

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn only(key: &str) -> Arc<Jwk> {
    let set = parse_jwks(format!("{{\"keys\":[{key}]}}").as_bytes()).unwrap();
    Arc::clone(&set.keys[0])
}

struct Rsa(RsaKeyPair);

impl Rsa {
    fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// RSAPublicKey (RFC 8017 A.1.1) of 2048 bits: the modulus stands at a fixed place.
    fn modulus(&self) -> Vec<u8> {
        self.0.public_key().as_ref()[9..265].to_vec()
    }

    fn jwk(&self) -> Arc<Jwk> {
        only(&format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, encode(&self.modulus())))
    }

    fn sign(&self, encoding: &'static dyn RsaEncoding) -> String {
        let mut out = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), SIGNED.as_bytes(), &mut out).unwrap();
        encode(&out)
    }
}

fn ec(curve: &str, algorithm: &'static EcdsaSigningAlgorithm) -> (Arc<Jwk>, String) {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
    let jwk = only(&format!(r#"{{"kty":"EC","crv":"{curve}","x":"{}","y":"{}"}}"#, encode(x), encode(y)));
    let signature = pair.sign(&SystemRandom::new(), SIGNED.as_bytes()).unwrap();
    (jwk, encode(signature.as_ref()))
}

/// One good signature for every algorithm, with its key.
fn all() -> Vec<(Algorithm, Arc<Jwk>, String)> {
    let rsa = Rsa::new();
    let encodings: [(Algorithm, &'static dyn RsaEncoding); 6] = [
        (Algorithm::RS256, &sig::RSA_PKCS1_SHA256),
        (Algorithm::RS384, &sig::RSA_PKCS1_SHA384),
        (Algorithm::RS512, &sig::RSA_PKCS1_SHA512),
        (Algorithm::PS256, &sig::RSA_PSS_SHA256),
        (Algorithm::PS384, &sig::RSA_PSS_SHA384),
        (Algorithm::PS512, &sig::RSA_PSS_SHA512),
    ];
    let mut all: Vec<_> = encodings.into_iter().map(|(a, encoding)| (a, rsa.jwk(), rsa.sign(encoding))).collect();
    let (jwk, signature) = ec("P-256", &sig::ECDSA_P256_SHA256_FIXED_SIGNING);
    all.push((Algorithm::ES256, jwk, signature));
    let (jwk, signature) = ec("P-384", &sig::ECDSA_P384_SHA384_FIXED_SIGNING);
    all.push((Algorithm::ES384, jwk, signature));
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = only(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, encode(pair.public_key().as_ref())));
    all.push((Algorithm::EdDSA, jwk, encode(pair.sign(SIGNED.as_bytes()).as_ref())));
    let secret = [7; 64];
    for (algorithm, digest) in [
        (Algorithm::HS256, hmac::HMAC_SHA256),
        (Algorithm::HS384, hmac::HMAC_SHA384),
        (Algorithm::HS512, hmac::HMAC_SHA512),
    ] {
        let tag = hmac::sign(&hmac::Key::new(digest, &secret), SIGNED.as_bytes());
        all.push((algorithm, Arc::new(Jwk::secret(&secret)), encode(tag.as_ref())));
    }
    all
}

#[test]
fn a_signature_verifies_with_its_own_key_and_algorithm_only() {
    let all = all();
    assert_eq!(all.len(), 12);
    for (algorithm, key, signature) in &all {
        assert!(key.verify(*algorithm, SIGNED, signature), "{algorithm:?}");
        assert!(!key.verify(*algorithm, "eyJhbGciOiJ4In0.e31", signature), "{algorithm:?}: another text");
        for bad in ["", "AAAA", "!", &signature.replacen(|_| true, "", 1), &format!("{signature}=")] {
            assert!(!key.verify(*algorithm, SIGNED, bad), "{algorithm:?} {bad:?}");
        }
        for (other, other_key, _) in &all {
            if other != algorithm {
                assert!(!key.verify(*other, SIGNED, signature), "{algorithm:?} as {other:?}");
                let shared = Arc::ptr_eq(key, other_key) || key.fingerprint == other_key.fingerprint;
                assert!(shared || !other_key.verify(*algorithm, SIGNED, signature), "{algorithm:?} with another key");
            }
        }
    }
}

/// CVE-2015-9235 and its kin: the public key, in any of its forms, taken for the secret of HS256.
#[test]
fn a_public_key_is_never_a_secret() {
    let rsa = Rsa::new();
    for secret in [rsa.0.public_key().as_ref().to_vec(), rsa.modulus(), encode(&rsa.modulus()).into_bytes()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), SIGNED.as_bytes());
        assert!(!rsa.jwk().verify(Algorithm::HS256, SIGNED, &encode(tag.as_ref())));
    }
}

#[test]
fn a_key_for_one_algorithm_is_for_that_one() {
    let rsa = Rsa::new();
    let key = only(&format!(r#"{{"kty":"RSA","alg":"RS256","n":"{}","e":"AQAB"}}"#, encode(&rsa.modulus())));
    assert!(key.verify(Algorithm::RS256, SIGNED, &rsa.sign(&sig::RSA_PKCS1_SHA256)));
    assert!(!key.verify(Algorithm::RS512, SIGNED, &rsa.sign(&sig::RSA_PKCS1_SHA512)));
}

/// RFC 7518 §6.3.1.1 says that some issuers do this.
#[test]
fn zeros_before_a_modulus_change_nothing() {
    let rsa = Rsa::new();
    let n = [&[0, 0], rsa.modulus().as_slice()].concat();
    let key = only(&format!(r#"{{"kty":"RSA","n":"{}","e":"AAEAAQ"}}"#, encode(&n)));
    assert!(key.verify(Algorithm::RS256, SIGNED, &rsa.sign(&sig::RSA_PKCS1_SHA256)));
    assert_eq!(key.fingerprint, rsa.jwk().fingerprint);
}
