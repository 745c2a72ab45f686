//! `parsed_path` and `parsed_query`, as opa-envoy-plugin makes them with Go's `net/url`.

use std::collections::BTreeMap;

use regorus::Value;

use crate::input::source::Source;
use crate::input::text;

/// The most parameters of a query or form, as in Go.
const MAX_PARAMETERS: usize = 10_000;

/// `parsed_path`.
pub(super) fn path(source: &Source<'_, '_>) -> Result<Value, String> {
    Ok(Value::from(segments(source)?.into_iter().map(Value::from).collect::<Vec<_>>()))
}

/// Text before the first `?`, percent-decoded once (so `%2F` separates too), without leading slashes, split at `/`.
pub(super) fn segments(source: &Source<'_, '_>) -> Result<Vec<String>, String> {
    let full = source.full_path();
    let path = full.split('?').next().unwrap_or_default();
    let decoded = unescape(path.as_bytes(), false)?;
    let decoded = text::from_bytes(&decoded);
    Ok(decoded.trim_start_matches('/').split('/').map(str::to_owned).collect())
}

/// `parsed_query`.
pub(super) fn query(source: &Source<'_, '_>) -> Result<Value, String> {
    pairs(source.query().as_bytes()).map(|values| object_of_lists(values, source))
}

/// Whether [`query`] could refuse it.
pub(super) fn may_be_refused(query: &str) -> bool {
    query.contains(['%', ';']) || query.len() >= MAX_PARAMETERS
}

/// The pairs of a query or form, by name, as Go's `url.ParseQuery` reads them: `+` is a space, a bad escape or `;` is an error.
pub(super) fn pairs(query: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<Value>>, String> {
    if query.iter().filter(|byte| **byte == b'&').count() >= MAX_PARAMETERS {
        return Err("number of URL query parameters exceeded limit".to_owned());
    }
    if query.contains(&b';') {
        return Err("invalid semicolon separator in query".to_owned());
    }
    let mut values: BTreeMap<Vec<u8>, Vec<Value>> = BTreeMap::new();
    for pair in query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (name, value) = (unescape(name, true)?, unescape(value, true)?);
        values.entry(name).or_default().push(Value::from(text::from_bytes(&value)));
    }
    Ok(values)
}

/// An object whose values are lists.
///
/// Names that differ only in bytes that are no UTF-8 look the same here: as in the plugin the last of them stays, but in
/// policies of our own nothing is hidden.
pub(super) fn object_of_lists(values: BTreeMap<Vec<u8>, Vec<Value>>, source: &Source<'_, '_>) -> Value {
    let mut lists: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, list) in values {
        let known = lists.entry(text::from_bytes(&name)).or_default();
        if source.is_received() {
            *known = list;
        } else {
            known.extend(list);
        }
    }
    let object: BTreeMap<Value, Value> =
        lists.into_iter().map(|(name, list)| (Value::from(name), Value::from(list))).collect();
    Value::from(object)
}

/// Percent-decoding that refuses a bad escape.
fn unescape(escaped: &[u8], plus_is_space: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
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
    Ok(out)
}

/// The byte that hexadecimal digits stand for.
pub(super) fn hex(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | u8::try_from(digit).ok()?)
    })
}

/// The message of Go's `url.EscapeError`, with what stands where two digits should.
fn bad_escape(after: &[u8]) -> String {
    let shown = after.get(..after.len().min(2)).unwrap_or_default();
    format!("invalid URL escape {}", text::quote(&[b"%", shown].concat()))
}
