//! `parsed_path` and `parsed_query`, as opa-envoy-plugin makes them with Go's `net/url`.

use std::collections::BTreeMap;

use regorus::Value;

use crate::input::source::Source;

/// `parsed_path`.
pub(super) fn path(source: &Source<'_, '_>) -> Result<Value, String> {
    Ok(Value::from(segments(source)?.into_iter().map(Value::from).collect::<Vec<_>>()))
}

/// Text before the first `?`, percent-decoded once (so `%2F` separates too), without leading slashes, split at `/`.
pub(super) fn segments(source: &Source<'_, '_>) -> Result<Vec<String>, String> {
    let full = source.full_path();
    let path = full.split('?').next().unwrap_or_default();
    let decoded = unescape(path, false)?;
    Ok(decoded.trim_start_matches('/').split('/').map(str::to_owned).collect())
}

/// Go's `url.ParseQuery`: values are lists, `+` is a space, a bad escape or `;` is an error.
pub(super) fn query(query: &str) -> Result<Value, String> {
    pairs(query).map(object_of_lists)
}

/// The pairs of a query or form, by name.
pub(super) fn pairs(query: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    if query.contains(';') {
        return Err("invalid semicolon separator in query".to_owned());
    }
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescape(name, true)?, unescape(value, true)?);
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
fn unescape(text: &str, plus_is_space: bool) -> Result<String, String> {
    if !text.bytes().any(|b| b == b'%' || (plus_is_space && b == b'+')) {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let digits = after.split_at_checked(2).and_then(|(digits, after)| Some((hex(digits)?, after)));
                let Some((decoded, after)) = digits else { return Err(bad_escape(after)) };
                out.push(decoded);
                rest = after;
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(*other),
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn hex(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | u8::try_from(digit).ok()?)
    })
}

/// The message of Go's `url.EscapeError`, with what stands where two digits should.
fn bad_escape(after: &[u8]) -> String {
    let shown = after.get(..after.len().min(2)).unwrap_or_default();
    format!("invalid URL escape {:?}", format!("%{}", String::from_utf8_lossy(shown)))
}
