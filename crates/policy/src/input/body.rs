//! `parsed_body` and `truncated_body`, as opa-envoy-plugin makes them (`envoyauth/request.go`).
//!
//! JSON and URL-encoded forms are parsed; other kinds of body give `null`.

use model::RequestContext;
use regorus::Value;

use crate::input::parsed::{object_of_lists, pairs};

/// The deepest nesting of a JSON body.
const MAX_JSON_DEPTH: usize = 64;

/// A body as policies see it.
pub(super) struct ParsedBody {
    /// `parsed_body`.
    pub(super) value: Value,
    /// `truncated_body`: the body came only in part.
    pub(super) truncated: bool,
}

const NOTHING: ParsedBody = ParsedBody { value: Value::Null, truncated: false };
const TRUNCATED: ParsedBody = ParsedBody { value: Value::Null, truncated: true };

/// Parses the body.
pub(super) fn parse(request: &RequestContext<'_>) -> Result<ParsedBody, &'static str> {
    // Set by Envoy itself, on a header that it takes from clients.
    if first(request, "x-envoy-auth-partial-body") == Some(b"true") {
        return Ok(TRUNCATED);
    }
    let Some(content_type) = first(request, "content-type").and_then(|v| std::str::from_utf8(v).ok()) else {
        return Ok(NOTHING);
    };
    let body = request.view.http().body;
    if content_type.contains("application/json") {
        if body.is_empty() {
            return Ok(NOTHING);
        }
        if is_cut(request, body.len())? {
            return Ok(TRUNCATED);
        }
        return json(body).map(|value| ParsedBody { value, truncated: false });
    }
    if content_type.contains("application/grpc") {
        return Ok(NOTHING);
    }
    if content_type.contains("application/x-www-form-urlencoded") {
        if is_cut(request, body.len())? {
            return Ok(TRUNCATED);
        }
        let text = std::str::from_utf8(body).map_err(|_not_text| "form body is not UTF-8")?;
        return pairs(text).map(|p| ParsedBody { value: object_of_lists(p), truncated: false });
    }
    Ok(NOTHING)
}

fn first<'a>(request: &RequestContext<'a>, name: &str) -> Option<&'a [u8]> {
    request.headers.iter().find(|h| h.name == name).map(|h| h.value)
}

/// True when `content-length` promises more than there is.
fn is_cut(request: &RequestContext<'_>, len: usize) -> Result<bool, &'static str> {
    let Some(value) = first(request, "content-length") else { return Ok(false) };
    let promised: i64 =
        std::str::from_utf8(value).ok().and_then(|v| v.parse().ok()).ok_or("content-length is not a number")?;
    Ok(promised != -1 && promised > i64::try_from(len).unwrap_or(i64::MAX))
}

fn json(body: &[u8]) -> Result<Value, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_not_text| "JSON body is not UTF-8")?;
    if depth_of(body) > MAX_JSON_DEPTH {
        return Err("JSON body is nested too deep");
    }
    Value::from_json_str(text).map_err(|_malformed| "JSON body cannot be parsed")
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
