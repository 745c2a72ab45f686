//! The rarely asked parts of a request, decoded only when somebody asks.

use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use prost::Message;
use serde_json::Value;

use super::json;
use crate::wire::reader::Reader;

/// The value at a `lowerCamelCase` path. Only the first field of the path is decoded.
pub(super) fn find(parts: &[&[u8]], path: &[&str]) -> Option<Value> {
    let Some((first, rest)) = path.split_first() else {
        return Some(json::attributes(&decode(parts, None)?));
    };
    let tag = match *first {
        "source" => 1,
        "destination" => 2,
        "request" => 4,
        "contextExtensions" => 10,
        "metadataContext" => 11,
        "tlsSession" => 12,
        "routeMetadataContext" => 13,
        _ => return None,
    };
    let mut value = json::attributes(&decode(parts, Some(tag))?);
    value = value.get_mut(*first)?.take();
    for key in rest {
        value = match value {
            Value::Object(mut map) => map.remove(*key)?,
            Value::Array(mut list) => {
                let index: usize = key.parse().ok()?;
                if index < list.len() { list.swap_remove(index) } else { return None }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    Some(value)
}

/// Decodes all fields, or those with one tag. The bytes were found well formed when they were indexed.
fn decode(parts: &[&[u8]], only: Option<u32>) -> Option<AttributeContext> {
    let mut attributes = AttributeContext::default();
    for part in parts {
        match only {
            None => attributes.merge(*part).ok()?,
            Some(tag) => fields(part, tag, |field| attributes.merge(field).ok())?,
        }
    }
    Some(attributes)
}

/// Calls `each` with every field of that tag, key included.
fn fields<'a>(part: &'a [u8], wanted: u32, mut each: impl FnMut(&'a [u8]) -> Option<()>) -> Option<()> {
    let mut message = Reader::new(part);
    loop {
        let start = message.rest();
        let Some((tag, wire)) = message.key().ok()? else { return Some(()) };
        if matches!(tag, 10) {
            message.map_entry().ok()?;
        } else {
            message.skip(tag, wire).ok()?;
        }
        if tag == wanted {
            each(start.get(..start.len() - message.rest().len())?)?;
        }
    }
}
