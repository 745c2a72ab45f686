//! `crypto.sha*` and `crypto.hmac.*`.

use anyhow::{Result, bail};
use crypto::keys::{Digest, hmac_of};
use regorus::Value;

fn hmac(digest: Digest, args: &[Value]) -> Result<Value> {
    let [Value::String(text), Value::String(key)] = args else { bail!("a text and a key") };
    Ok(hex(&hmac_of(digest, key.as_bytes(), text.as_bytes())))
}

pub(super) fn hmac_sha1(args: &[Value]) -> Result<Value> {
    hmac(Digest::Sha1, args)
}

pub(super) fn hmac_sha256(args: &[Value]) -> Result<Value> {
    hmac(Digest::Sha256, args)
}

pub(super) fn hmac_sha512(args: &[Value]) -> Result<Value> {
    hmac(Digest::Sha512, args)
}

/// `crypto.sha256(text)`.
pub(super) fn sha256(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    Ok(hex(&crypto::sha256(text.as_bytes())))
}

/// `crypto.sha1(text)`.
pub(super) fn sha1(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    Ok(hex(&crypto::keys::sha1(text.as_bytes())))
}

fn hex(bytes: &[u8]) -> Value {
    Value::from(crypto::hex(bytes))
}

/// `crypto.hmac.equal(mac1, mac2)`, in constant time.
pub(super) fn hmac_equal(args: &[Value]) -> Result<Value> {
    let [Value::String(first), Value::String(second)] = args else { bail!("two texts") };
    Ok(Value::Bool(crypto::constant_time_eq(first.as_bytes(), second.as_bytes())))
}
