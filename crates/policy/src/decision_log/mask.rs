//! Takes out of an event, or replaces in it, what `data.system.log.mask` named.
//!
//! A rule is a path, or `{"op": "remove" | "upsert", "path": …, "value": …}`. Paths start with `/input`, `/result` or
//! `/nd_builtin_cache`. A path that leads nowhere masks nothing. A rule that cannot be understood makes the whole event
//! unfit for the log: what was to be hidden is not known.

use serde_json::{Map, Value};

use super::event::Event;

/// The longest path: events nest no deeper than this.
const DEEPEST: usize = 128;

/// Why an event cannot be masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// Not a list of rules.
    #[error("the rules are no list")]
    NoList,
    /// Neither a path nor an object.
    #[error("a rule is neither a path nor an object")]
    Format,
    /// A path that is missing, no text, does not begin with a slash or is too long.
    #[error("a rule's path is missing, too long or does not begin with a slash")]
    Path,
    /// A path to something that cannot be masked.
    #[error("{0:?} cannot be masked; /input, /result and /nd_builtin_cache can")]
    Prefix(String),
    /// Another operation.
    #[error("no such operation: {0}")]
    Op(String),
}

/// Applies what the policy said, rule by rule in its order, and notes it in `erased` and `masked`.
///
/// # Errors
/// [`MaskError`]: the event must not be logged.
pub fn mask(event: &mut Event, said: &Value) -> Result<(), MaskError> {
    let Value::Array(said) = said else { return Err(MaskError::NoList) };
    // All are understood before the first is applied.
    let rules = said.iter().map(Rule::read).collect::<Result<Vec<_>, _>>()?;
    for rule in rules {
        let part = match rule.part {
            Part::Input => &mut event.input,
            Part::Result => &mut event.result,
            Part::Cache => &mut event.nd_builtin_cache,
        };
        match rule.change {
            Change::Remove => {
                if remove(part, &rule.keys) {
                    event.erased.push(rule.path.to_owned());
                }
            }
            Change::Upsert(value) => {
                if upsert(part, &rule.keys, value) {
                    event.masked.push(rule.path.to_owned());
                }
            }
        }
    }
    Ok(())
}

struct Rule<'a> {
    path: &'a str,
    part: Part,
    keys: Vec<&'a str>,
    change: Change,
}

enum Part {
    Input,
    Result,
    Cache,
}

enum Change {
    Remove,
    Upsert(Value),
}

impl<'a> Rule<'a> {
    fn read(said: &'a Value) -> Result<Self, MaskError> {
        match said {
            Value::String(path) => Self::of(path, Change::Remove),
            Value::Object(rule) => {
                let path = rule.get("path").and_then(Value::as_str).ok_or(MaskError::Path)?;
                let change = match rule.get("op").and_then(Value::as_str).unwrap_or_default() {
                    "remove" => Change::Remove,
                    "upsert" => Change::Upsert(rule.get("value").cloned().unwrap_or_default()),
                    other => return Err(MaskError::Op(other.to_owned())),
                };
                Self::of(path, change)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(MaskError::Format),
        }
    }

    fn of(path: &'a str, change: Change) -> Result<Self, MaskError> {
        let mut keys = path.strip_prefix('/').ok_or(MaskError::Path)?.split('/');
        let part = match keys.next().unwrap_or_default() {
            "input" => Part::Input,
            "result" => Part::Result,
            "nd_builtin_cache" => Part::Cache,
            other => return Err(MaskError::Prefix(other.to_owned())),
        };
        let keys: Vec<&str> = keys.take(DEEPEST + 1).collect();
        if keys.len() > DEEPEST { Err(MaskError::Path) } else { Ok(Self { path, part, keys, change }) }
    }
}

fn remove(part: &mut Option<Value>, keys: &[&str]) -> bool {
    let Some((last, above)) = keys.split_last() else { return part.take().is_some() };
    let parent = above.iter().try_fold(part.as_mut(), |at, key| at.map(|at| child(at, key)));
    match parent.flatten() {
        Some(Value::Object(object)) => {
            let key = key_in(object, last);
            object.remove(&key).is_some()
        }
        Some(Value::Array(items)) => match index(last).filter(|at| *at < items.len()) {
            Some(at) => {
                items.remove(at);
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// Makes the objects on the way; into a list only where there is an item already.
fn upsert(part: &mut Option<Value>, keys: &[&str], value: Value) -> bool {
    let Some(mut at) = part.as_mut() else { return false };
    for key in keys {
        let next = match at {
            Value::Object(object) => {
                let key = key_in(object, key);
                Some(object.entry(key).or_insert_with(|| Value::Object(Map::new())))
            }
            Value::Array(items) => index(key).and_then(|place| items.get_mut(place)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    *at = value;
    true
}

fn child<'v>(value: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    match value {
        Value::Object(object) => {
            let key = key_in(object, key);
            object.get_mut(&key)
        }
        Value::Array(items) => items.get_mut(index(key)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The key as it is written, or, where there is none like it, as RFC 6901 §4 reads it: keys with a slash can be masked.
fn key_in(object: &Map<String, Value>, key: &str) -> String {
    if object.contains_key(key) || !key.contains('~') {
        return key.to_owned();
    }
    let unescaped = key.replace("~1", "/").replace("~0", "~");
    if object.contains_key(&unescaped) { unescaped } else { key.to_owned() }
}

fn index(key: &str) -> Option<usize> {
    key.bytes().all(|b| b.is_ascii_digit()).then(|| key.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event_of(input: Value, result: Value) -> Event {
        let mut event = Event::default();
        (event.input, event.result) = (Some(input), Some(result));
        event
    }

    fn event() -> Event {
        let input = json!({
            "a": { "b": 1, "x/y": 2, "q~1r": 3 },
            "list": [{ "pw": 1 }, { "pw": 2 }, { "pw": 3 }],
            "text": "t",
            "none": null,
        });
        event_of(input, json!({ "allowed": true, "r": 1 }))
    }

    fn masked(said: &Value) -> Event {
        let mut event = event();
        mask(&mut event, said).unwrap();
        event
    }

    #[test]
    fn what_a_path_names_is_taken_out() {
        let event = masked(&json!(["/input/a/b", "/input/list/0/pw", { "op": "remove", "path": "/result/r" }]));
        let input = event.input.unwrap();
        assert_eq!(input["a"], json!({ "x/y": 2, "q~1r": 3 }));
        assert_eq!(input["list"], json!([{}, { "pw": 2 }, { "pw": 3 }]));
        assert_eq!(event.result, Some(json!({ "allowed": true })));
        assert_eq!(event.erased, ["/input/a/b", "/input/list/0/pw", "/result/r"]);
        assert!(event.masked.is_empty());
    }

    #[test]
    fn what_a_path_names_is_replaced_or_made() {
        let upsert = |path: &str| json!({ "op": "upsert", "path": path, "value": "X" });
        let event = masked(&json!([
            upsert("/input/a/b"),
            upsert("/input/new/deep"),
            upsert("/input/list/1"),
            upsert("/input/list/2/pw"),
            { "op": "upsert", "path": "/result/no_value" },
        ]));
        let input = event.input.unwrap();
        assert_eq!(input["a"]["b"], "X");
        assert_eq!(input["new"], json!({ "deep": "X" }));
        assert_eq!(input["list"], json!([{ "pw": 1 }, "X", { "pw": "X" }]));
        assert_eq!(event.result.unwrap()["no_value"], Value::Null);
        assert_eq!(event.masked.len(), 5);
        assert!(event.erased.is_empty());
    }

    #[test]
    fn a_path_that_leads_nowhere_masks_nothing() {
        let upsert = |path: &str| json!({ "op": "upsert", "path": path, "value": "X" });
        let unmasked = event();
        let event = masked(&json!([
            "/input/none/x",
            "/input/nope",
            "/input/a/b/c",
            "/input/list/7",
            "/input/list/-1",
            "/input/list/+1",
            "/input/list/x",
            "/input/",
            "/input//a",
            "/input/a/b/",
            "/nd_builtin_cache",
            "/nd_builtin_cache/x",
            upsert("/input/text/x"),
            upsert("/input/none/x"),
            upsert("/input/list/9/pw"),
            upsert("/input/list/x/pw"),
            upsert("/nd_builtin_cache/q"),
            upsert("/nd_builtin_cache"),
        ]));
        assert_eq!(event, unmasked);
    }

    #[test]
    fn a_part_is_taken_out_or_replaced_as_a_whole() {
        let event = masked(&json!(["/input", "/input/a", { "op": "upsert", "path": "/result", "value": "r" }]));
        assert_eq!((event.input, event.result), (None, Some(json!("r"))));
        assert_eq!((event.erased, event.masked), (vec!["/input".to_owned()], vec!["/result".to_owned()]));
    }

    #[test]
    fn keys_with_a_slash_can_be_named() {
        let event = masked(&json!(["/input/a/x~1y", "/input/a/q~1r"]));
        assert_eq!(event.input.unwrap()["a"], json!({ "b": 1 }));
    }

    /// opa-envoy-plugin ends on this one.
    #[test]
    fn nothing_is_put_into_an_input_that_could_not_be_parsed() {
        let mut event = event_of(Value::Null, json!(true));
        mask(&mut event, &json!([{ "op": "upsert", "path": "/input/a/b", "value": 1 }])).unwrap();
        assert_eq!(event.input, Some(Value::Null));
        assert!(event.masked.is_empty());
    }

    #[test]
    fn a_rule_that_is_not_understood_makes_the_event_unfit() {
        let deep = format!("/input{}", "/a".repeat(DEEPEST + 1));
        for (rule, error) in [
            (json!(3), MaskError::Format),
            (json!(["/input"]), MaskError::Format),
            (json!(""), MaskError::Path),
            (json!("input/x"), MaskError::Path),
            (json!(deep), MaskError::Path),
            (json!({ "op": "remove" }), MaskError::Path),
            (json!({ "op": "remove", "path": 3 }), MaskError::Path),
            (json!("/"), MaskError::Prefix(String::new())),
            (json!("/labels/id"), MaskError::Prefix("labels".to_owned())),
            (json!("/inputx"), MaskError::Prefix("inputx".to_owned())),
            (json!({ "path": "/input/a" }), MaskError::Op(String::new())),
            (json!({ "op": "zap", "path": "/input/a" }), MaskError::Op("zap".to_owned())),
        ] {
            assert_eq!(mask(&mut event(), &json!(["/input/a", rule])), Err(error), "{rule}");
        }
        assert_eq!(mask(&mut event(), &json!({})), Err(MaskError::NoList));
    }
}
