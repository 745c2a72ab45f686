//! The one constructor of `CheckResponse` bytes.
//!
//! Envoy allows whenever `status.code` is 0, even with a `denied_response` inside; so status and body are written
//! together, from one [`Answer`], and nowhere else. Envoy versions read `append` and `append_action` of a header differently;
//! so both are always set. Envoy removes headers after it has set them; so a name is either set or removed.

use std::collections::HashSet;

use bytes::Bytes;
use model::{Allowed, Answer, HeaderEdit, Reason, Refusal};
use serde_json::{Map, Value};

use super::writer::Writer;

pub(super) mod plugin;
#[cfg(test)]
mod tests;

/// `google.rpc.Code` of a denial.
const PERMISSION_DENIED: u64 = 7;
/// `google.rpc.Code` of an error.
const UNAVAILABLE: u64 = 14;
/// The status of a refusal that names none that refuses.
const FORBIDDEN: u16 = 403;
/// How deep metadata may nest. Envoy reads at most 100 nested messages, and one level here takes three.
const MAX_METADATA_DEPTH: u32 = 16;

// HeaderValueOption.HeaderAppendAction
const APPEND_IF_EXISTS_OR_ADD: u64 = 0;
const OVERWRITE_IF_EXISTS_OR_ADD: u64 = 2;

/// Why an answer cannot be put on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unencodable {
    /// A header name is not a lower-case token (RFC 9110 §5.1).
    #[error("invalid header name {0:?}")]
    HeaderName(String),
    /// A header value holds a control character (RFC 9110 §5.5).
    #[error("invalid value for header {0:?}")]
    HeaderValue(String),
    /// The metadata nests deeper than Envoy would read.
    #[error("metadata nests too deeply")]
    Depth,
}

/// `CheckResponse` bytes of an answer with its dynamic metadata.
///
/// # Errors
/// [`Unencodable`] when a header or the metadata is not fit for the wire; the caller then answers with [`refuse`].
pub fn encode_answer(answer: &Answer, metadata: &Map<String, Value>) -> Result<Bytes, Unencodable> {
    let mut out = Writer::with_capacity(512);
    match answer {
        Answer::Allow(allowed) => {
            // `status` with code 0: an empty message.
            out.message(1, |_| ());
            out.message(3, |ok| ok_response(ok, allowed))?;
        }
        Answer::Deny(refusal) => {
            status(&mut out, PERMISSION_DENIED);
            out.message(2, |denied| denied_response(denied, refusal, refusing(refusal.status)))?;
        }
        Answer::Error(refusal) => {
            status(&mut out, UNAVAILABLE);
            out.message(5, |error| denied_response(error, refusal, refusing(refusal.status)))?;
        }
    }
    if !metadata.is_empty() {
        out.message(4, |fields| structure(fields, metadata, MAX_METADATA_DEPTH))?;
    }
    Ok(out.into_bytes().into())
}

/// A denial that needs nothing but its reason: for what happens outside the pipeline. Never fails.
pub fn refuse(reason: Reason) -> Bytes {
    let mut out = Writer::with_capacity(192);
    status(&mut out, PERMISSION_DENIED);
    out.message(2, |denied| {
        denied.message(1, |code| code.integer(1, reason.status().into()));
        set(denied, 2, "content-type", "application/problem+json");
        set(denied, 2, "cache-control", "no-store");
        if reason == Reason::Overloaded {
            set(denied, 2, "retry-after", "1");
        }
        let (status, code, title) = (reason.status(), reason.as_str(), reason.title());
        let body = format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"code":"{code}"}}"#);
        denied.text(3, &body);
    });
    out.message(4, |fields| {
        entry(fields, "outcome", |value| value.bytes(3, b"deny"));
        entry(fields, "reason", |value| value.bytes(3, reason.as_str().as_bytes()));
    });
    out.into_bytes().into()
}

fn status(out: &mut Writer, code: u64) {
    out.message(1, |status| status.integer(1, code));
}

/// `OkHttpResponse`.
fn ok_response(ok: &mut Writer, allowed: &Allowed) -> Result<(), Unencodable> {
    for (position, edit) in allowed.headers.iter().enumerate() {
        check_header(edit, true)?;
        let repeated = allowed.headers.iter().take(position).any(|earlier| earlier.name == edit.name);
        // What should be removed and added to, is replaced: the removal would otherwise win.
        let append = repeated || (edit.append && !allowed.headers_to_remove.contains(&edit.name));
        header_option(ok, 2, edit, append);
    }
    let kept: HashSet<&str> = match allowed.headers_to_remove.len() {
        0 => HashSet::new(),
        _ => allowed.headers.iter().map(|edit| edit.name.as_ref()).collect(),
    };
    for name in &allowed.headers_to_remove {
        check_name(name, false)?;
        if !kept.contains(name.as_ref()) {
            ok.bytes(5, name.as_bytes());
        }
    }
    for (position, edit) in allowed.response_headers.iter().enumerate() {
        check_header(edit, false)?;
        let repeated = allowed.response_headers.iter().take(position).any(|earlier| earlier.name == edit.name);
        header_option(ok, 6, edit, edit.append || repeated || edit.name == "set-cookie");
    }
    query(ok, allowed);
    Ok(())
}

/// `query_parameters_to_set` and `query_parameters_to_remove`.
fn query(ok: &mut Writer, allowed: &Allowed) {
    for (name, value) in &allowed.query_set {
        ok.message(7, |parameter| {
            parameter.text(1, name);
            parameter.text(2, value);
        });
    }
    for name in &allowed.query_remove {
        ok.bytes(8, name.as_bytes());
    }
}

/// `DeniedHttpResponse`, also the form of `error_response`.
fn denied_response(denied: &mut Writer, refusal: &Refusal, code: u16) -> Result<(), Unencodable> {
    denied.message(1, |status| status.integer(1, code.into()));
    for edit in &refusal.headers {
        check_header(edit, false)?;
        // Envoy does not send denied headers that append.
        header_option(denied, 2, edit, false);
    }
    denied.text(3, &refusal.body);
    Ok(())
}

/// A status that cannot be taken for success.
fn refusing(status: u16) -> u16 {
    if (300..=599).contains(&status) { status } else { FORBIDDEN }
}

fn set(out: &mut Writer, tag: u32, name: &'static str, value: &str) {
    header_option(out, tag, &HeaderEdit::set(name, value), false);
}

/// `HeaderValueOption` with both ways of saying whether it appends.
fn header_option(out: &mut Writer, tag: u32, edit: &HeaderEdit, append: bool) {
    out.message(tag, |option| {
        option.message(1, |header| {
            header.bytes(1, edit.name.as_bytes());
            header.text(2, &edit.value);
        });
        option.message(2, |bool_value| bool_value.nonzero(1, append.into()));
        option.integer(3, if append { APPEND_IF_EXISTS_OR_ADD } else { OVERWRITE_IF_EXISTS_OR_ADD });
        option.nonzero(4, edit.value.is_empty().into());
    });
}

fn check_header(edit: &HeaderEdit, request: bool) -> Result<(), Unencodable> {
    check_name(&edit.name, request)?;
    let fit = edit.value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f));
    if fit { Ok(()) } else { Err(Unencodable::HeaderValue(edit.name.clone().into_owned())) }
}

/// A token in lower case; `:path` too where a request is edited.
fn check_name(name: &str, request: bool) -> Result<(), Unencodable> {
    let token = !name.is_empty()
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9') || b"!#$%&'*+-.^_`|~".contains(&b));
    if token || (request && name == ":path") { Ok(()) } else { Err(Unencodable::HeaderName(name.to_owned())) }
}

/// `google.protobuf.Struct`.
pub(super) fn structure(out: &mut Writer, fields: &Map<String, Value>, depth: u32) -> Result<(), Unencodable> {
    for (name, value) in fields {
        entry(out, name, |out| proto_value(out, value, depth))?;
    }
    Ok(())
}

fn entry<T>(out: &mut Writer, name: &str, value: impl FnOnce(&mut Writer) -> T) -> T {
    out.message(1, |entry| {
        entry.text(1, name);
        entry.message(2, value)
    })
}

/// `google.protobuf.Value`.
fn proto_value(out: &mut Writer, value: &Value, depth: u32) -> Result<(), Unencodable> {
    let inner = depth.checked_sub(1).ok_or(Unencodable::Depth)?;
    match value {
        Value::Null => out.integer(1, 0),
        Value::Number(number) => out.double(2, number.as_f64().unwrap_or(0.0)),
        Value::String(text) => out.bytes(3, text.as_bytes()),
        Value::Bool(bool) => out.integer(4, (*bool).into()),
        Value::Object(fields) => out.message(5, |out| structure(out, fields, inner))?,
        Value::Array(list) => out.message(6, |out| {
            for value in list {
                out.message(1, |out| proto_value(out, value, inner))?;
            }
            Ok(())
        })?,
    }
    Ok(())
}
