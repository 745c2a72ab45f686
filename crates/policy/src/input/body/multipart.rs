//! `multipart/form-data` (RFC 7578): each name with the list of its parts; a part of JSON is parsed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use multer::bytes::Bytes;
use multer::{Field, Multipart};
use regorus::Value;

use super::{NOTHING, ParsedBody, json, whole};

/// More parts than this are no form.
const MAX_PARTS: usize = 1_000;

/// `null` when the type names no boundary.
pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<ParsedBody, String> {
    let kind: mime::Mime = content_type.parse().map_err(|error| format!("mime: {error}"))?;
    let mut boundaries = kind.params().filter(|(name, _)| *name == "boundary");
    let Some((_, boundary)) = boundaries.next() else { return Ok(NOTHING) };
    if boundaries.next().is_some() {
        return Err("mime: duplicate parameter name".to_owned());
    }
    if boundary.as_str().is_empty() {
        return Err("mime: invalid media parameter".to_owned());
    }
    let whole_body = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::copy_from_slice(body))]);
    let parts = Multipart::new(whole_body, boundary.as_str());
    let mut read = pin!(values(parts));
    // Everything is there already, so nothing is ever waited for.
    match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(values) => values.map(whole),
        Poll::Pending => Err("multipart: the body has no end".to_owned()),
    }
}

async fn values(mut parts: Multipart<'_>) -> Result<Value, String> {
    let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for _ in 0..MAX_PARTS {
        let field = match parts.next_field().await {
            Ok(Some(field)) => field,
            // A body that is cut inside the headers of a part has no further parts.
            Ok(None) | Err(multer::Error::IncompleteHeaders) => return Ok(object(values)),
            Err(error) => return Err(told(&error)),
        };
        let Some(name) = form_name(&field) else { continue };
        let header =
            |name: &str| field.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let is_json = header("content-type").contains("application/json");
        let is_quoted = header("content-transfer-encoding").eq_ignore_ascii_case("quoted-printable");
        let mut bytes = field.bytes().await.map_err(|error| told(&error))?.to_vec();
        if is_quoted {
            bytes = quoted_printable::decode(&bytes, quoted_printable::ParseMode::Robust)
                .map_err(|error| format!("quotedprintable: {error}"))?;
        }
        let value = if is_json { json(&bytes)? } else { Value::from(String::from_utf8_lossy(&bytes).as_ref()) };
        values.entry(name).or_default().push(value);
    }
    Err(format!("multipart: more than {MAX_PARTS} parts"))
}

/// The name of a part of a form; a part that is none, or has no name, is left out.
fn form_name(field: &Field<'_>) -> Option<String> {
    let disposition = field.headers().get("content-disposition")?.to_str().ok()?;
    let kind = disposition.split(';').next()?.trim();
    let name = field.name().filter(|name| !name.is_empty())?;
    kind.eq_ignore_ascii_case("form-data").then(|| name.to_owned())
}

fn told(error: &multer::Error) -> String {
    let is_cut = matches!(error, multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteStream);
    if is_cut { "unexpected EOF".to_owned() } else { format!("multipart: {error}") }
}

fn object(values: BTreeMap<String, Vec<Value>>) -> Value {
    let mut object = regorus::value::Object::new();
    for (name, list) in values {
        object.insert(Value::from(name), Value::from(list));
    }
    object.into_value()
}
