//! The key of a decision: an injective encoding of exactly what the policy can read.

use regorus::Value;

use crate::analysis::InputPaths;
use crate::set::PolicyInput;

/// Longer keys are not worth keeping, and neither are the decisions under them.
const MAX_KEY_BYTES: usize = 16 << 10;

const MISSING: u8 = 0;
const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const NUMBER: u8 = 4;
const STRING: u8 = 5;
const ARRAY: u8 = 6;
const SET: u8 = 7;
const OBJECT: u8 = 8;

/// The paths whose values go into a key, in a fixed order, as ready-made names.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyPlan(Vec<Vec<Value>>);

impl KeyPlan {
    /// The plan for what can be read. Names are made anew for each call, so that threads do not share them.
    pub(crate) fn new(paths: &InputPaths) -> Self {
        Self(paths.iter().map(|p| p.iter().map(|name| Value::from(name.as_str())).collect()).collect())
    }

    /// Writes the key for `input` into `key`; `document` is the `input` that the policy would see. False when the
    /// request should not be looked up at all.
    pub(crate) fn write(&self, key: &mut Vec<u8>, entry: usize, input: &PolicyInput<'_, '_>, document: &Value) -> bool {
        key.clear();
        key.extend_from_slice(&input.generation.to_be_bytes());
        put_len(key, entry);
        match &input.request.tenant {
            None => key.push(MISSING),
            Some(tenant) => put_text(key, STRING, tenant),
        }
        for path in &self.0 {
            let mut at = Some(document);
            for name in path {
                at = at.and_then(|v| v.as_object().ok()).and_then(|o| o.get(name));
            }
            put(key, at);
            if key.len() > MAX_KEY_BYTES {
                return false;
            }
        }
        true
    }
}

/// One value: its type, its length, its parts. The order of parts is the engine's, which is the same for equal values.
fn put(key: &mut Vec<u8>, value: Option<&Value>) {
    match value {
        None | Some(Value::Undefined) => key.push(MISSING),
        Some(Value::Null) => key.push(NULL),
        Some(Value::Bool(false)) => key.push(FALSE),
        Some(Value::Bool(true)) => key.push(TRUE),
        Some(Value::Number(number)) => put_text(key, NUMBER, &format!("{number:?}")),
        Some(Value::String(text)) => put_text(key, STRING, text),
        Some(Value::Array(list)) => {
            key.push(ARRAY);
            put_len(key, list.len());
            for item in list.iter() {
                put(key, Some(item));
            }
        }
        Some(Value::Set(set)) => {
            key.push(SET);
            put_len(key, set.len());
            for item in set.iter_sorted() {
                put(key, Some(item));
            }
        }
        Some(Value::Object(object)) => {
            key.push(OBJECT);
            put_len(key, object.len());
            for (name, item) in object.iter_sorted() {
                put(key, Some(name));
                put(key, Some(item));
            }
        }
    }
}

fn put_text(key: &mut Vec<u8>, tag: u8, text: &str) {
    key.push(tag);
    put_len(key, text.len());
    key.extend_from_slice(text.as_bytes());
}

fn put_len(key: &mut Vec<u8>, len: usize) {
    key.extend_from_slice(&(len as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
    use serde_json::{Value as Json, json};

    use super::*;

    fn encoded(value: &Json) -> Vec<u8> {
        let mut key = Vec::new();
        put(&mut key, Some(&Value::from(value.clone())));
        key
    }

    #[test]
    fn what_differs_is_encoded_differently() {
        let values = [
            json!(null),
            json!(false),
            json!(true),
            json!(""),
            json!("a"),
            json!(0),
            json!("0"),
            json!([]),
            json!({}),
            json!([[]]),
            json!(["a", "b"]),
            json!(["ab", ""]),
            json!({ "a": null }),
            json!({ "a": {} }),
            json!([{ "a": "b" }]),
            json!([["a"], "b"]),
            json!([["a", "b"]]),
            json!(-1),
            json!(1.5),
        ];
        let mut seen = HashMap::new();
        for value in values {
            let twin = seen.insert(encoded(&value), value.clone());
            assert_eq!(twin, None, "{value}");
        }
        let mut missing = Vec::new();
        put(&mut missing, None);
        assert!(!seen.contains_key(&missing), "missing differs from every value");
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            "[a-c0]{0,3}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                prop::collection::btree_map("[a-c]{0,2}", inner, 0..3)
                    .prop_map(|m| Json::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_encoding_is_injective(a in any_json(), b in any_json()) {
            assert_eq!(encoded(&a) == encoded(&b), a == b);
        }
    }
}
