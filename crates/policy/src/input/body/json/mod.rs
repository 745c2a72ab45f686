//! JSON bodies.

mod number;
mod read;
mod string;

use regorus::Value;

use crate::input::source::Source;

/// The deepest nesting for policies of our own.
const MAX_DEPTH: usize = 64;

/// A JSON document.
pub(super) fn parse(source: &Source<'_, '_>, body: &[u8]) -> Result<Value, String> {
    if source.is_received() { read::document(body) } else { plain(body) }
}

/// Only JSON of the standard, and all of it text.
fn plain(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_not_text| "JSON body is not UTF-8")?;
    if depth_of(body) > MAX_DEPTH {
        return Err("JSON body is nested too deep".to_owned());
    }
    Value::from_json_str(text).map_err(|_malformed| "JSON body cannot be parsed".to_owned())
}

/// The deepest nesting of brackets outside of strings.
fn depth_of(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests;
