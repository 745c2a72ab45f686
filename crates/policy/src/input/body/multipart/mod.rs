//! `multipart/form-data` (RFC 7578): each name with the list of its parts; a part of JSON is parsed.
//!
//! Read as Go's `mime/multipart` reads it, which is laxer than RFC 2046 and in places peculiar: `docs/adr/0011` says why this
//! is no crate's work.
//!
//! ```text
//! content-type ──► media_type: boundary        body ──► parts: boundary lines ──► header: lines of a part
//!                                                         └──► quoted_printable ──► text or JSON
//! ```

mod header;
mod media_type;
mod parts;
mod quoted_printable;

use std::collections::BTreeMap;

use regorus::Value;

use self::parts::{Part, Parts};
use super::{NOTHING, ParsedBody, json, whole};
use crate::input::parsed::object_of_lists;
use crate::input::source::Source;
use crate::input::text;

/// More parts than this are no form for policies of our own.
const MAX_PARTS: usize = 1_000;

/// `null` when the type names no boundary.
pub(super) fn parse(source: &Source<'_, '_>, content_type: &str, body: &[u8]) -> Result<ParsedBody, String> {
    let media_type = media_type::parse(content_type.as_bytes())?;
    let Some(boundary) = media_type.parameters.get(&b"boundary"[..]) else { return Ok(NOTHING) };
    if boundary.is_empty() {
        return Err("multipart: boundary is empty".to_owned());
    }
    let mut parts = Parts::new(body, boundary);
    let mut values: BTreeMap<Vec<u8>, Vec<Value>> = BTreeMap::new();
    let mut count = 0;
    while let Some(part) = parts.next()? {
        count += 1;
        if !source.is_received() && (count > MAX_PARTS || parts.has_bare_line_feeds()) {
            return Err("multipart: no plain form".to_owned());
        }
        if let Some(name) = part.header.form_name() {
            values.entry(name).or_default().push(value(source, &part)?);
        }
    }
    Ok(whole(object_of_lists(values, source)))
}

fn value(source: &Source<'_, '_>, part: &Part<'_>) -> Result<Value, String> {
    let bytes = if part.header.is_quoted_printable() {
        quoted_printable::decode(part.data, part.is_whole)?
    } else if part.is_whole {
        part.data.to_vec()
    } else {
        return Err("unexpected EOF".to_owned());
    };
    if part.header.is_json() { json::parse(source, &bytes) } else { Ok(Value::from(text::from_bytes(&bytes))) }
}

#[cfg(test)]
mod tests;
