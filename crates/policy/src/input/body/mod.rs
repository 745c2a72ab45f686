//! `parsed_body` and `truncated_body`, as opa-envoy-plugin makes them (`envoyauth/request.go`).
//!
//! By `content-type`: JSON, forms (URL-encoded and multipart) and, with descriptors, gRPC. Other kinds of body give `null`.

mod grpc;
mod multipart;

use prost_reflect::DescriptorPool;
use regorus::Value;

use crate::input::parsed::{object_of_lists, pairs};
use crate::input::source::Source;

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

const fn whole(value: Value) -> ParsedBody {
    ParsedBody { value, truncated: false }
}

/// Parses the body. `descriptors` are those of the gRPC services whose messages can be read.
pub(super) fn parse(source: &Source<'_, '_>, descriptors: Option<&DescriptorPool>) -> Result<ParsedBody, String> {
    // Set by Envoy itself, on a header that it takes from clients.
    if first(source, "x-envoy-auth-partial-body") == Some(b"true") {
        return Ok(TRUNCATED);
    }
    let Some(content_type) = first(source, "content-type").and_then(|v| std::str::from_utf8(v).ok()) else {
        return Ok(NOTHING);
    };
    let http = source.view().http();
    if content_type.contains("application/grpc") && !content_type.contains("application/json") {
        return match descriptors {
            Some(descriptors) if http.body_is_raw => grpc::parse(source, http.body, descriptors),
            _ => Ok(NOTHING),
        };
    }
    let parse: fn(&str, &[u8]) -> Result<ParsedBody, String> = if content_type.contains("application/json") {
        |_, body| json(body).map(whole)
    } else if content_type.contains("application/x-www-form-urlencoded") {
        |_, body| form(body).map(whole)
    } else if content_type.contains("multipart/form-data") {
        multipart::parse
    } else {
        return Ok(NOTHING);
    };
    if http.body.is_empty() {
        return Ok(NOTHING);
    }
    if is_cut(source, http.body.len())? {
        return Ok(TRUNCATED);
    }
    parse(content_type, http.body)
}

fn first<'a>(source: &Source<'a, '_>, name: &str) -> Option<&'a [u8]> {
    source.headers().iter().find(|h| h.name == name).map(|h| h.value)
}

/// True when `content-length` promises more than there is.
fn is_cut(source: &Source<'_, '_>, len: usize) -> Result<bool, String> {
    let Some(value) = first(source, "content-length") else { return Ok(false) };
    let text = String::from_utf8_lossy(value);
    let promised: i64 =
        text.parse().map_err(|_not_one| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))?;
    Ok(promised != -1 && promised > i64::try_from(len).unwrap_or(i64::MAX))
}

fn form(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_not_text| "form body is not UTF-8")?;
    pairs(text).map(object_of_lists)
}

fn json(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_not_text| "JSON body is not UTF-8")?;
    if depth_of(body) > MAX_JSON_DEPTH {
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
