//! `parsed_path` and `parsed_query`, as opa-envoy-plugin makes them with Go's `net/url`.

use std::collections::BTreeMap;

use model::RequestContext;
use regorus::Value;

use crate::input::attributes::full_path;

/// Text before the first `?`, percent-decoded once (so `%2F` separates too), without leading slashes, split at `/`.
pub(super) fn path(request: &RequestContext<'_>) -> Result<Value, &'static str> {
    let full = full_path(request);
    let path = full.split('?').next().unwrap_or_default();
    let decoded = unescape(path, false).ok_or("invalid URL escape in path")?;
    Ok(Value::from(decoded.trim_start_matches('/').split('/').map(Value::from).collect::<Vec<_>>()))
}

/// Go's `url.ParseQuery`: values are lists, `+` is a space, a bad escape or `;` is an error.
pub(super) fn query(query: &str) -> Result<Value, &'static str> {
    let values = pairs(query)?;
    Ok(object_of_lists(values))
}

/// The pairs of a query or form, by name.
pub(super) fn pairs(query: &str) -> Result<BTreeMap<String, Vec<String>>, &'static str> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&') {
        if pair.contains(';') {
            return Err("invalid semicolon separator in query");
        }
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = unescape(name, true).ok_or("invalid URL escape in query")?;
        let value = unescape(value, true).ok_or("invalid URL escape in query")?;
        values.entry(name).or_default().push(value);
    }
    Ok(values)
}

/// An object whose values are lists of strings.
pub(super) fn object_of_lists(values: BTreeMap<String, Vec<String>>) -> Value {
    let mut object = regorus::value::Object::new();
    for (name, list) in values {
        let list: Vec<Value> = list.into_iter().map(Value::from).collect();
        object.insert(Value::from(name), Value::from(list));
    }
    object.into_value()
}

/// Percent-decoding that refuses a bad escape. Bytes that are no UTF-8 become U+FFFD, as when Go writes JSON.
fn unescape(text: &str, plus_is_space: bool) -> Option<String> {
    if !text.bytes().any(|b| b == b'%' || (plus_is_space && b == b'+')) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(other),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}
