//! Rules that hide parts of decision logs.
//!
//! An input is what the rules said, a line that is `---`, and the `input` of the decision.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use policy::decision_log::event::{Decision, Event, Origin};
use policy::decision_log::mask::mask;
use policy::opa::{Outcome, Record};
use serde_json::{Value, json};

/// An event is masked as the rules say, or not at all.
pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (rules, input) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    let Ok(rules) = serde_json::from_str::<Value>(rules) else { return };
    let before = event(serde_json::from_str(input).ok());
    let mut after = before.clone();
    let result = mask(&mut after, &rules);
    let (shown, masked) = (values(&before), values(&after));
    if result.is_err() {
        assert_eq!(before, after, "changed by rules that are not understood: {rules}");
        return;
    }
    assert!(rules.is_array(), "taken for rules: {rules}");
    for (name, value) in &shown {
        assert!(MASKABLE.contains(&name.as_str()) || masked.get(name) == Some(value), "{name} was changed by {rules}");
    }
    let notes = |name: &str| masked.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    let noted = notes("erased") + notes("masked");
    assert!(noted <= rules.as_array().map_or(0, Vec::len), "more notes than rules: {rules}");
    assert!(noted > 0 || before == after, "changed without a note by {rules}");
    if let Some([rule]) = rules.as_array().map(Vec::as_slice) {
        one(rule, &before, &after, notes("erased") == 1);
    }
    assert!(after.to_line().is_some() && after.to_console_line(SystemTime::UNIX_EPOCH).is_some());
}

/// What one rule takes away is gone: taking it away once more changes nothing, unless items of a list moved up or the path
/// can be read in two ways.
fn one(rule: &Value, before: &Event, after: &Event, erased: bool) {
    let path = rule.as_str().or_else(|| rule.get("path")?.as_str()).unwrap_or_default();
    let may_go_on = path.contains('~') || path.split('/').any(|key| key.bytes().all(|b| b.is_ascii_digit()));
    if !erased {
        return;
    }
    assert_ne!(before, after, "{rule} is said to have taken something away");
    if !may_go_on {
        let mut again = after.clone();
        mask(&mut again, &json!([path])).expect("the same rule");
        assert_eq!(values(&again).get("erased"), values(after).get("erased"), "{rule} left something to take away");
    }
}

fn values(event: &Event) -> serde_json::Map<String, Value> {
    match event.to_value() {
        Some(Value::Object(fields)) => fields,
        other => panic!("an event that is {other:?}"),
    }
}

const MASKABLE: [&str; 5] = ["input", "result", "nd_builtin_cache", "erased", "masked"];

fn event(input: Option<Value>) -> Event {
    let record = Record {
        decision_id: "d".to_owned(),
        outcome: Outcome::Result(json!({ "allowed": true, "headers": { "x-a": "1", "x/b": ["2"] } }).into()),
        handler: Duration::from_nanos(2),
        evaluation: Duration::from_nanos(1),
    };
    let revisions = BTreeMap::from([("b".to_owned(), "r".to_owned())]);
    let at = SystemTime::UNIX_EPOCH;
    Event::new(&Origin::default(), Decision { record, input, revisions: &revisions, at, traceparent: None })
}
