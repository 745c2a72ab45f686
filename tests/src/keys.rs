//! An issuer of tokens: keys, key sets and tokens, good and bad alike.
//!
//! Signs by itself instead of with a JOSE library, because most of what the tests need no library would sign.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Map, Value, json};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RSA, PKCS#1 v1.5, SHA-256.
    Rs256,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// A private key with its `kid`.
#[derive(Debug)]
pub struct SigningKey {
    kid: String,
    kind: Kind,
    key: Key,
}

#[derive(Debug)]
enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate(kid: &str, kind: Kind) -> anyhow::Result<Self> {
        let failed = |_| anyhow!("cannot make a key");
        let key = match kind {
            Kind::Rs256 | Kind::Ps256 => Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?),
            Kind::Es256 => Key::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?),
            Kind::EdDsa => Key::Ed(Ed25519KeyPair::generate().map_err(failed)?),
        };
        Ok(Self { kid: kid.to_owned(), kind, key })
    }

    /// The public key as a JWK (RFC 7517).
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            Key::Rsa(pair) => {
                // RSAPublicKey of RFC 8017 §A.1.1 with 2048 bits: nine bytes of tags and lengths, n, then e = 65537.
                let der = pair.public_key().as_ref();
                let modulus = der.get(9..265).unwrap_or_default();
                json!({ "kty": "RSA", "n": BASE64URL.encode(modulus), "e": BASE64URL.encode([1, 0, 1]) })
            }
            Key::Ec(pair) => {
                // Uncompressed point: 4, then x and y of 32 bytes each.
                let point = pair.public_key().as_ref();
                let (x, y) = point.split_at_checked(33).unwrap_or_default();
                json!({ "kty": "EC", "crv": "P-256", "x": BASE64URL.encode(x.get(1..).unwrap_or_default()), "y": BASE64URL.encode(y) })
            }
            Key::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(pair.public_key().as_ref()) })
            }
        };
        if let Value::Object(fields) = &mut jwk {
            fields.insert("kid".into(), self.kid.clone().into());
            fields.insert("use".into(), "sig".into());
            fields.insert("alg".into(), self.algorithm().into());
        }
        jwk
    }

    /// The public key in DER: what an attacker signs HS256 with (RFC 8725 §2.1).
    pub fn public_der(&self) -> Vec<u8> {
        match &self.key {
            Key::Rsa(pair) => {
                signature::KeyPair::public_key(pair).as_der().map(|der| der.as_ref().to_vec()).unwrap_or_default()
            }
            Key::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Key::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Rs256 => "RS256",
            Kind::Ps256 => "PS256",
            Kind::Es256 => "ES256",
            Kind::EdDsa => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding =
                    if self.kind == Kind::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut bytes = vec![0; pair.public_modulus_len()];
                // A signature of zeros is refused by whoever reads it, so a fault here cannot pass a test.
                let _zeros_on_failure = pair.sign(padding, &random, message, &mut bytes);
                bytes
            }
            Key::Ec(pair) => pair.sign(&random, message).map(|s| s.as_ref().to_vec()).unwrap_or_default(),
            Key::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// Claims and header of a token, as wrong as one likes.
#[derive(Debug, Clone)]
pub struct Claims {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Claims {
    /// Sets a claim; `null` takes it away.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Sets a header parameter; `null` takes it away.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }
}

fn set(map: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        map.remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
}

/// Who signs tokens.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    audience: String,
    keys: Vec<SigningKey>,
}

impl Issuer {
    /// An issuer with one RSA, one EC and one Ed25519 key, named `rsa-1`, `ec-1` and `ed-1`.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn new(name: &str, audience: &str) -> anyhow::Result<Self> {
        let keys = vec![
            SigningKey::generate("rsa-1", Kind::Rs256)?,
            SigningKey::generate("ec-1", Kind::Es256)?,
            SigningKey::generate("ed-1", Kind::EdDsa)?,
        ];
        Ok(Self { name: name.to_owned(), audience: audience.to_owned(), keys })
    }

    /// Adds a key.
    pub fn add(&mut self, key: SigningKey) {
        self.keys.push(key);
    }

    /// Takes a key away.
    pub fn remove(&mut self, kid: &str) {
        self.keys.retain(|key| key.kid != kid);
    }

    /// The key with this `kid`.
    ///
    /// # Errors
    /// When there is none.
    pub fn key(&self, kid: &str) -> anyhow::Result<&SigningKey> {
        self.keys.iter().find(|key| key.kid == kid).ok_or_else(|| anyhow!("the test issuer has no key {kid}"))
    }

    /// The public keys (RFC 7517 §5).
    pub fn jwks(&self) -> String {
        json!({ "keys": self.keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() }).to_string()
    }

    /// Good claims for a subject, valid for ten minutes.
    pub fn claims(&self, subject: &str) -> Claims {
        let now = now_s();
        let claims = json!({
            "iss": self.name, "aud": self.audience, "sub": subject, "iat": now, "nbf": now, "exp": now + 600,
        });
        let header = json!({ "typ": "JWT" });
        Claims { header: object(header), claims: object(claims) }
    }

    /// A good token of a subject with these scopes, signed with the EC key.
    ///
    /// # Errors
    /// When the issuer has no key `ec-1`.
    pub fn token(&self, subject: &str, scopes: &str) -> anyhow::Result<String> {
        self.sign("ec-1", self.claims(subject).with("scope", scopes))
    }

    /// Signs with the named key; `alg` and `kid` are filled in unless the claims set them.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn sign(&self, kid: &str, claims: Claims) -> anyhow::Result<String> {
        let key = self.key(kid)?;
        let message = message(claims, key.algorithm(), kid);
        let signature = BASE64URL.encode(key.sign(message.as_bytes()));
        Ok(format!("{message}.{signature}"))
    }

    /// Signs HS256 with any bytes, as an attacker would with the public key (RFC 8725 §2.1).
    pub fn sign_hs256(&self, kid: &str, secret: &[u8], claims: Claims) -> String {
        let message = message(claims, "HS256", kid);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", BASE64URL.encode(tag.as_ref()))
    }

    /// A token with `alg: none` and no signature (RFC 8725 §2.1).
    pub fn unsigned(&self, claims: Claims) -> String {
        format!("{}.", message(claims, "none", "rsa-1"))
    }
}

fn message(mut claims: Claims, algorithm: &str, kid: &str) -> String {
    claims.header.entry("alg").or_insert_with(|| algorithm.into());
    claims.header.entry("kid").or_insert_with(|| kid.into());
    let encode = |map: Map<String, Value>| BASE64URL.encode(Value::Object(map).to_string());
    format!("{}.{}", encode(claims.header), encode(claims.claims))
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}
