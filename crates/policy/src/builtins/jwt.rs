//! `io.jwt.*` as OPA has them (topdown/tokens.go): what decodes, verifies and signs JSON Web Tokens.
//!
//! A call that OPA ends with an error is undefined here, so that a rule does not hold.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::keys::{VerifyingKey, shared_secret, sign, verifying_keys};
use lru::LruCache;
use regorus::Value;
use serde_json::{Map, Value as Json};

use crate::builtins::encoding::base64url;

/// How many times a token may stand in another one.
const MOST_NESTED: usize = 4;

thread_local! {
    /// Keys by their text, so that a policy's certificate is read once and not for each request.
    static KEYS: RefCell<LruCache<String, Rc<Vec<VerifyingKey>>>> = RefCell::new(LruCache::new(KEPT_KEYS));
}

const KEPT_KEYS: NonZeroUsize = match NonZeroUsize::new(64) {
    Some(size) => size,
    None => NonZeroUsize::MIN,
};

/// A compact JWS, decoded.
struct Token<'a> {
    signed: &'a str,
    header: Map<String, Json>,
    /// As it stands in the token.
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    fn read(text: &'a str) -> Result<Self> {
        let (signed, signature) = text.rsplit_once('.').context("a token has three parts")?;
        let (header, payload) = signed.split_once('.').context("a token has three parts")?;
        if payload.contains('.') {
            bail!("a token has three parts");
        }
        let header: Map<String, Json> = serde_json::from_slice(&base64url(header)?)?;
        if header.contains_key("enc") {
            bail!("the token is encrypted");
        }
        Ok(Self { signed, header, payload, signature: base64url(signature)? })
    }

    fn payload(&self) -> Result<String> {
        Ok(String::from_utf8(base64url(self.payload)?)?)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Json::as_str)
    }

    /// True when one of the keys verifies the token with `algorithm`. A `kid` that a key has names the only one to try.
    fn verifies(&self, algorithm: &str, keys: &[VerifyingKey]) -> bool {
        let by = |key: &VerifyingKey| key.verify(algorithm, self.signed.as_bytes(), &self.signature).unwrap_or(false);
        if let Some(named) = self.text("kid").and_then(|kid| keys.iter().find(|key| key.kid.as_deref() == Some(kid))) {
            return by(named);
        }
        // `alg` and `use` of a key are not looked at, as in OPA; its type has to fit.
        keys.iter().any(by)
    }
}

/// `io.jwt.decode(jwt)`: header, payload and signature in hex; nothing is verified.
pub(super) fn jwt_decode(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a token is text") };
    let mut text = text.to_string();
    for _ in 0..MOST_NESTED {
        let token = Token::read(&text)?;
        let payload = token.payload()?;
        // A token says that it holds another one (RFC 7519 §5.2).
        if token.text("cty") != Some("JWT") {
            let signature = crypto::hex(&token.signature);
            return Ok(three(value(token.header)?, value(serde_json::from_str(&payload)?)?, Value::from(signature)));
        }
        text = payload.trim_matches(['"', '\'']).to_owned();
    }
    bail!("tokens are nested too deep")
}

/// `io.jwt.verify_<algorithm>(jwt, key)`.
fn verify(algorithm: &str, args: &[Value]) -> Result<Value> {
    let [Value::String(text), Value::String(key)] = args else { bail!("a token and its key are texts") };
    let token = Token::read(text)?;
    let verified = if algorithm.starts_with("HS") {
        token.verifies(algorithm, &[shared_secret(key.as_bytes())])
    } else {
        token.verifies(algorithm, &keys_of(key)?)
    };
    Ok(Value::Bool(verified))
}

fn keys_of(text: &str) -> Result<Rc<Vec<VerifyingKey>>> {
    KEYS.with_borrow_mut(|known| {
        if let Some(keys) = known.get(text) {
            return Ok(Rc::clone(keys));
        }
        let keys = Rc::new(verifying_keys(text)?);
        known.put(text.to_owned(), Rc::clone(&keys));
        Ok(keys)
    })
}

macro_rules! verifiers {
    ($($function:ident $algorithm:literal;)+) => {
        $(pub(super) fn $function(args: &[Value]) -> Result<Value> { verify($algorithm, args) })+
    };
}

verifiers! {
    verify_rs256 "RS256";
    verify_rs384 "RS384";
    verify_rs512 "RS512";
    verify_ps256 "PS256";
    verify_ps384 "PS384";
    verify_ps512 "PS512";
    verify_es256 "ES256";
    verify_es384 "ES384";
    verify_es512 "ES512";
    verify_eddsa "EdDSA";
    verify_hs256 "HS256";
    verify_hs384 "HS384";
    verify_hs512 "HS512";
}

/// What `io.jwt.decode_verify` demands of a token.
struct Constraints {
    keys: Rc<Vec<VerifyingKey>>,
    algorithm: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    /// Seconds since the epoch.
    time: f64,
}

impl Constraints {
    fn read(constraints: &Map<String, Json>) -> Result<Self> {
        let text = |name: &str| match constraints.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => bail!("{name} constraint: must be a string"),
        };
        if let Some(unknown) = constraints.keys().find(|name| !CONSTRAINTS.contains(&name.as_str())) {
            bail!("unknown token validation constraint: {unknown}");
        }
        let keys = match (text("cert")?, text("secret")?) {
            (Some(certificate), None) => keys_of(&certificate)?,
            (None, Some(secret)) => Rc::new(vec![shared_secret(secret.as_bytes())]),
            (Some(_), Some(_)) => bail!("duplicate key constraints"),
            (None, None) => bail!("no key constraint"),
        };
        let time = match constraints.get("time") {
            None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64(),
            Some(time) => time.as_f64().context("token time constraint: must be a number")? / 1e9,
        };
        Ok(Self { keys, algorithm: text("alg")?, issuer: text("iss")?, audience: text("aud")?, time })
    }

    /// True when header and signature are as demanded. `crit` names extensions, and none is understood.
    fn accept_signature(&self, token: &Token<'_>) -> bool {
        let Some(algorithm) = token.text("alg").filter(|_| !token.header.contains_key("crit")) else { return false };
        self.algorithm.as_deref().is_none_or(|wanted| wanted == algorithm) && token.verifies(algorithm, &self.keys)
    }

    /// True when the registered claims are as demanded.
    fn accept_claims(&self, claims: &Map<String, Json>) -> Result<bool> {
        let issuer_fits =
            self.issuer.as_ref().is_none_or(|issuer| claims.get("iss") == Some(&Json::from(issuer.as_str())));
        let audience_fits = match (claims.get("aud"), self.audience.as_deref()) {
            (None, wanted) => wanted.is_none(),
            (Some(Json::String(said)), Some(wanted)) => said == wanted,
            (Some(Json::Array(said)), Some(wanted)) => said.iter().any(|one| one == wanted),
            (Some(_), _) => false,
        };
        if !issuer_fits || !audience_fits {
            return Ok(false);
        }
        let number = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(said) => said.as_f64().map(Some).with_context(|| format!("{name} value must be a number")),
        };
        let (expires, starts) = (number("exp")?, number("nbf")?);
        Ok(expires.is_none_or(|end| self.time < end) && starts.is_none_or(|start| self.time >= start))
    }
}

const CONSTRAINTS: [&str; 6] = ["cert", "secret", "alg", "iss", "aud", "time"];

/// `io.jwt.decode_verify(jwt, constraints)`: whether the token is good, its header and payload; both empty when it is not.
pub(super) fn jwt_decode_verify(args: &[Value]) -> Result<Value> {
    let [Value::String(text), constraints] = args else { bail!("a token is text") };
    let constraints = Constraints::read(&object(constraints)?)?;
    let refused = || Ok(three(Value::Bool(false), Value::new_object(), Value::new_object()));
    let mut text = text.to_string();
    for _ in 0..MOST_NESTED {
        let token = Token::read(&text)?;
        if !constraints.accept_signature(&token) {
            return refused();
        }
        let payload = token.payload()?;
        if !token.text("cty").is_some_and(|cty| cty.eq_ignore_ascii_case("jwt")) {
            let claims = serde_json::from_str(&payload)?;
            if !constraints.accept_claims(&claims)? {
                return refused();
            }
            return Ok(three(Value::Bool(true), value(token.header)?, value(claims)?));
        }
        text = payload.trim_matches(['"', '\'']).to_owned();
    }
    bail!("tokens are nested too deep")
}

/// `io.jwt.encode_sign(headers, payload, key)`.
pub(super) fn jwt_encode_sign(args: &[Value]) -> Result<Value> {
    let [headers, payload, key] = args else { bail!("headers, payload and key") };
    let texts = [headers, payload].map(|part| object(part).and_then(|part| Ok(serde_json::to_string(&part)?)));
    let [headers, payload] = texts;
    signed(&headers?, &payload?, &object(key)?)
}

/// `io.jwt.encode_sign_raw(headers, payload, key)`, all as text that goes into the token as it is.
pub(super) fn jwt_encode_sign_raw(args: &[Value]) -> Result<Value> {
    let [Value::String(headers), Value::String(payload), Value::String(key)] = args else {
        bail!("headers, payload and key are texts")
    };
    signed(headers, payload, &serde_json::from_str(key)?)
}

fn signed(headers: &str, payload: &str, key: &Map<String, Json>) -> Result<Value> {
    let header: Map<String, Json> = serde_json::from_str(headers)?;
    let algorithm = header.get("alg").and_then(Json::as_str).context("the header has no alg")?;
    let is_jwt = header.get("typ").is_none_or(|typ| typ == "JWT");
    if is_jwt && serde_json::from_str::<serde::de::IgnoredAny>(payload).is_err() {
        bail!("type is JWT but payload is not JSON");
    }
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(headers), URL_SAFE_NO_PAD.encode(payload));
    let signature = sign(algorithm, key, signed.as_bytes())?;
    Ok(Value::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn object(value: &Value) -> Result<Map<String, Json>> {
    match serde_json::to_value(value)? {
        Json::Object(map) => Ok(map),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => bail!("must be an object"),
    }
}

fn value(map: Map<String, Json>) -> Result<Value> {
    Ok(Value::from(Json::Object(map)))
}

fn three(first: Value, second: Value, third: Value) -> Value {
    Value::from(vec![first, second, third])
}
