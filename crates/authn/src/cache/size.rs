//! What an entry takes.

use model::Principal;
use serde_json::{Map, Value};

use super::Entry;

/// Bytes of an allocation beside its contents, rounding of the allocator included.
const ALLOCATION: usize = 16;
/// Counters of an `Arc`.
const COUNTERS: usize = 16;
/// The policy engine keeps its own form of a principal with it ([`Principal::memo`]), which takes about twice as much again.
const WITH_MEMO: usize = 3;
/// Empty buckets of the table, for each one in use.
const TABLE: usize = 2;

/// Bytes of memory that a token and its principal take, all told.
pub(super) fn of(token: &str, principal: &Principal) -> usize {
    let texts = [&principal.subject, &principal.issuer].into_iter();
    let optional = [&principal.client, &principal.tenant, &principal.assurance.acr].into_iter().flatten();
    let lists = principal.roles.iter().chain(&principal.scopes).chain(&principal.assurance.amr);
    // A list holds a pointer and a length for each text.
    let texts: usize = texts.chain(optional).chain(lists).map(|text| text.len() + COUNTERS + ALLOCATION + 16).sum();
    let principal = size_of::<Principal>() + COUNTERS + ALLOCATION + texts + map(&principal.attributes);
    TABLE * (size_of::<Entry>() + 1) + token.len() + ALLOCATION + WITH_MEMO * principal
}

fn map(map: &Map<String, Value>) -> usize {
    // Nodes of the tree are at least half full.
    map.iter()
        .map(|(name, v)| name.len() + ALLOCATION + 2 * (size_of::<String>() + size_of::<Value>()) + value(v))
        .sum()
}

fn value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() + ALLOCATION,
        Value::Array(list) => ALLOCATION + list.iter().map(|v| 2 * size_of::<Value>() + self::value(v)).sum::<usize>(),
        Value::Object(object) => ALLOCATION + map(object),
    }
}
