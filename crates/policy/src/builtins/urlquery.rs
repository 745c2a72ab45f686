//! `urlquery.*`: form encoding, as Go's net/url has it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use regorus::Value;
use regorus::value::Object;

use crate::builtins::encoding::utf8;

/// `urlquery.decode(text)`. Undefined where the bytes are not UTF-8, as with `base64.decode`.
pub(super) fn decode(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    unescape(text)
}

/// `urlquery.encode(text)`.
pub(super) fn encode(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let mut out = String::with_capacity(text.len());
    escape(text, &mut out);
    Ok(Value::from(out))
}

/// `urlquery.decode_object(query)`: the values of each name, in their order.
pub(super) fn decode_object(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let mut fields: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            bail!("a semicolon separates nothing");
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.entry(unescape(name)?).or_default().push(unescape(value)?);
    }
    let mut out = Object::new();
    for (name, values) in fields {
        out.insert(name, Value::from(values));
    }
    Ok(out.into_value())
}

/// `urlquery.encode_object(object)`: each value is a text, or an array or a set of texts.
pub(super) fn encode_object(args: &[Value]) -> Result<Value> {
    let [Value::Object(fields)] = args else { bail!("an object") };
    let mut out = String::new();
    for (name, value) in fields.iter_sorted() {
        let Value::String(name) = name else { bail!("a name that is no text") };
        let values: Vec<&Value> = match value {
            Value::Array(values) => values.iter().collect(),
            Value::Set(values) => values.iter().collect(),
            Value::String(_) => vec![value],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Undefined => {
                bail!("texts only")
            }
        };
        for value in values {
            let Value::String(value) = value else { bail!("texts only") };
            if !out.is_empty() {
                out.push('&');
            }
            escape(name, &mut out);
            out.push('=');
            escape(value, &mut out);
        }
    }
    Ok(Value::from(out))
}

fn unescape(text: &str) -> Result<Value> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || {
            let digit = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        out.push(match byte {
            b'%' => {
                let high = digit().context("an escape without digits")?;
                high << 4 | digit().context("an escape without digits")?
            }
            b'+' => b' ',
            other => other,
        });
    }
    utf8(out)
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
}
