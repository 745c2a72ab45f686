//! `parsed_body` and `truncated_body`, as opa-envoy-plugin makes them (`envoyauth/request.go`).
//!
//! By `content-type`: JSON, forms (URL-encoded and multipart) and, with descriptors, gRPC. Other kinds of body give `null`.
//! In place of the plugin itself ([`Source::Received`]) a body is read as Go reads it, with Go's messages; for policies of our
//! own whatever is not plain is refused.

mod grpc;
mod headers;
mod json;
mod multipart;

use prost_reflect::DescriptorPool;
use regorus::Value;

use self::headers::Headers;
use crate::input::parsed::{object_of_lists, pairs};
use crate::input::source::Source;
use crate::input::text;

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
    let headers = Headers::of(source);
    // Set by Envoy itself, on a header that it takes from clients.
    if headers.find("x-envoy-auth-partial-body") == Some(b"true") {
        return Ok(TRUNCATED);
    }
    let Some(content_type) = headers.find("content-type").and_then(|v| std::str::from_utf8(v).ok()) else {
        return Ok(NOTHING);
    };
    if content_type.contains("application/grpc") && !content_type.contains("application/json") {
        return match (descriptors, source.raw_body()) {
            (Some(descriptors), Some(body)) => grpc::parse(source, body, descriptors),
            _ => Ok(NOTHING),
        };
    }
    let parse: fn(&Source<'_, '_>, &str, &[u8]) -> Result<ParsedBody, String> =
        if content_type.contains("application/json") {
            |source, _, body| json::parse(source, body).map(whole)
        } else if content_type.contains("application/x-www-form-urlencoded") {
            |source, _, body| form(source, body).map(whole)
        } else if content_type.contains("multipart/form-data") {
            multipart::parse
        } else {
            return Ok(NOTHING);
        };
    let (body, _) = source.body();
    if body.is_empty() {
        return Ok(NOTHING);
    }
    if is_cut(&headers, body.len())? {
        return Ok(TRUNCATED);
    }
    parse(source, content_type, body)
}

/// True when `content-length` promises more than there is.
fn is_cut(headers: &Headers<'_, '_>, len: usize) -> Result<bool, String> {
    let Some(value) = headers.find("content-length") else { return Ok(false) };
    let promised =
        integer(value).map_err(|problem| format!("strconv.ParseInt: parsing {}: {problem}", text::quote(value)))?;
    Ok(promised != -1 && promised > i64::try_from(len).unwrap_or(i64::MAX))
}

/// Go's `strconv.ParseInt` in base ten.
fn integer(value: &[u8]) -> Result<i64, &'static str> {
    const NOT_ONE: &str = "invalid syntax";
    const TOO_GREAT: &str = "value out of range";
    let (is_negative, digits) = match value.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, value),
    };
    if digits.is_empty() {
        return Err(NOT_ONE);
    }
    let mut size = 0_u64;
    for digit in digits {
        let digit = char::from(*digit).to_digit(10).ok_or(NOT_ONE)?;
        size = size.checked_mul(10).and_then(|size| size.checked_add(u64::from(digit))).ok_or(TOO_GREAT)?;
    }
    let size = i128::from(size);
    i64::try_from(if is_negative { -size } else { size }).map_err(|_too_great| TOO_GREAT)
}

fn form(source: &Source<'_, '_>, body: &[u8]) -> Result<Value, String> {
    if !source.is_received() && std::str::from_utf8(body).is_err() {
        return Err("form body is not UTF-8".to_owned());
    }
    pairs(body).map(|values| object_of_lists(values, source))
}

#[cfg(test)]
mod tests;
