//! One event of the log, in the form that OPA gives it and with what opa-envoy-plugin fills in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::opa::{Outcome, Record};

/// What all events of a process have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The configured labels with `id` and `version`.
    pub labels: Arc<BTreeMap<String, String>>,
    /// What was asked for, as it is configured.
    pub asked: Asked,
}

/// The decision that was asked for, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `path` of the plugin.
    Path(String),
    /// `query` of the plugin.
    Query(String),
}

impl Default for Asked {
    fn default() -> Self {
        Self::Path("envoy/authz/allow".to_owned())
    }
}

/// A decision that is to be logged.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// What came out.
    pub record: Record,
    /// The whole `input`; `None` when a part of it cannot be parsed.
    pub input: Option<Value>,
    /// Revisions of bundles by name.
    pub revisions: &'a BTreeMap<String, String>,
    /// When it was decided.
    pub at: SystemTime,
    /// The header of that name (W3C Trace Context §3.2).
    pub traceparent: Option<&'a str>,
}

/// An event of the decision log. Fields without a value are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Event {
    labels: Arc<BTreeMap<String, String>>,
    decision_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bundles: BTreeMap<String, Bundle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// Null when it could not be parsed, absent when a mask took it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nd_builtin_cache: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) erased: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) masked: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    timestamp: String,
    metrics: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Bundle {
    #[serde(skip_serializing_if = "String::is_empty")]
    revision: String,
}

impl Event {
    /// The event of a decision.
    pub fn new(origin: &Origin, decision: Decision<'_>) -> Self {
        let Decision { record, input, revisions, at, traceparent } = decision;
        let trace = traceparent.and_then(trace);
        let (path, query) = match &origin.asked {
            Asked::Path(path) => (Some(path.clone()), None),
            Asked::Query(query) => (None, Some(query.clone())),
        };
        let mut metrics = BTreeMap::from([("timer_server_handler_ns", nanoseconds(record.handler))]);
        if input.is_some() {
            metrics.insert("timer_rego_query_eval_ns", nanoseconds(record.evaluation));
        }
        let (result, error) = match record.outcome {
            Outcome::Result(result) => (Some(result.to_json()), None),
            Outcome::Error { code, message } => (None, Some(error(code, message))),
        };
        let bundle = |(name, revision): (&String, &String)| (name.clone(), Bundle { revision: revision.clone() });
        Self {
            labels: Arc::clone(&origin.labels),
            decision_id: record.decision_id,
            trace_id: trace.map(|(trace, _)| trace.to_owned()),
            span_id: trace.map(|(_, span)| span.to_owned()),
            bundles: revisions.iter().map(bundle).collect(),
            path,
            query,
            input: Some(input.unwrap_or(Value::Null)),
            result,
            error,
            timestamp: rfc3339(at),
            metrics,
            ..Self::default()
        }
    }

    /// The event as rules of the policy see it.
    pub fn to_value(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// The event as it is uploaded.
    pub fn to_line(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// The line of the event in the log of the process, with its end of line. Errors are a text there.
    pub fn to_console_line(&self, now: SystemTime) -> Option<Vec<u8>> {
        let Some(Value::Object(mut fields)) = self.to_value() else { return None };
        if let Some(text) = fields.get("error").and_then(|error| error.get("message")).cloned() {
            fields.insert("error".to_owned(), text);
        }
        let seconds = Timestamp::try_from(now).ok().and_then(|now| Timestamp::from_second(now.as_second()).ok());
        let kind = [
            ("level", "info".to_owned()),
            ("msg", "Decision Log".to_owned()),
            ("type", "openpolicyagent.org/decision_logs".to_owned()),
            ("time", seconds.unwrap_or_default().to_string()),
        ];
        fields.extend(kind.map(|(key, value)| (key.to_owned(), Value::String(value))));
        let mut line = serde_json::to_vec(&fields).ok()?;
        line.push(b'\n');
        Some(line)
    }
}

/// Errors of the evaluation have a code, others only a message.
fn error(code: &str, message: String) -> Value {
    let prefix = format!("{code}: ");
    let is_evaluation = code.starts_with("eval_");
    let message = match message.strip_prefix(&prefix) {
        Some(rest) if is_evaluation => rest.to_owned(),
        _ => message,
    };
    let mut error = Map::from_iter([("message".to_owned(), json!(message))]);
    if is_evaluation {
        error.insert("code".to_owned(), json!(code));
    }
    Value::Object(error)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds without zeros at the end, as Go writes them.
fn rfc3339(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or_default().to_string()
}

/// The ids of trace and parent in a `traceparent`: version, 32 and 16 hexadecimal digits, flags; neither all zero.
fn trace(header: &str) -> Option<(&str, &str)> {
    let mut parts = header.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex =
        |text: &str, len: usize| text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |text: &str| text.bytes().all(|b| b == b'0');
    let is_well_formed = is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
        && !is_zero(trace)
        && !is_zero(span)
        && (version != "00" || parts.next().is_none());
    is_well_formed.then_some((trace, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            labels: Arc::new(BTreeMap::from([("app".to_owned(), "x".to_owned())])),
            asked: Asked::Path("a/b".to_owned()),
        }
    }

    fn record(outcome: Outcome) -> Record {
        Record {
            decision_id: "d1".to_owned(),
            outcome,
            handler: Duration::from_nanos(20),
            evaluation: Duration::from_nanos(7),
        }
    }

    fn event(outcome: Outcome, input: Option<Value>) -> Event {
        let revisions = BTreeMap::from([("b".to_owned(), "r1".to_owned()), ("c".to_owned(), String::new())]);
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_000);
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        Event::new(&origin(), Decision { record: record(outcome), input, revisions: &revisions, at, traceparent })
    }

    #[test]
    fn an_event_has_the_form_of_opa() {
        let event = event(Outcome::Result(json!(true).into()), Some(json!({ "x": 1 })));
        assert_eq!(
            event.to_value().unwrap(),
            json!({
                "labels": { "app": "x" },
                "decision_id": "d1",
                "trace_id": "0af7651916cd43dd8448eb211c80319c",
                "span_id": "b7ad6b7169203331",
                "bundles": { "b": { "revision": "r1" }, "c": {} },
                "path": "a/b",
                "input": { "x": 1 },
                "result": true,
                "timestamp": "2023-11-14T22:13:20.12Z",
                "metrics": { "timer_rego_query_eval_ns": 7, "timer_server_handler_ns": 20 },
            })
        );
    }

    #[test]
    fn an_input_that_cannot_be_parsed_is_null() {
        let outcome = Outcome::Error { code: "request_parse_error", message: "invalid URL escape \"%zz\"".to_owned() };
        let event = event(outcome, None);
        let value = event.to_value().unwrap();
        assert_eq!(value["input"], Value::Null);
        assert!(value.as_object().unwrap().contains_key("input"));
        assert_eq!(value["error"], json!({ "message": "invalid URL escape \"%zz\"" }));
        assert!(value.get("result").is_none());
        assert_eq!(value["metrics"], json!({ "timer_server_handler_ns": 20 }));
    }

    #[test]
    fn errors_of_the_evaluation_have_their_code() {
        let outcome = Outcome::Error { code: "eval_cancel_error", message: "eval_cancel_error: too long".to_owned() };
        let value = event(outcome, Some(json!({}))).to_value().unwrap();
        assert_eq!(value["error"], json!({ "code": "eval_cancel_error", "message": "too long" }));
        let outcome = Outcome::Error { code: "envoyauth_eval_error", message: "undefined decision".to_owned() };
        let value = event(outcome, Some(json!({}))).to_value().unwrap();
        assert_eq!(value["error"], json!({ "message": "undefined decision" }));
    }

    #[test]
    fn the_line_of_the_console_says_what_it_is() {
        let outcome = Outcome::Error { code: "envoyauth_eval_error", message: "undefined decision".to_owned() };
        let now = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_001, 5);
        let line = event(outcome, Some(json!({}))).to_console_line(now).unwrap();
        assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        assert_eq!(line.last(), Some(&b'\n'));
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["msg"], "Decision Log");
        assert_eq!(value["type"], "openpolicyagent.org/decision_logs");
        assert_eq!(value["level"], "info");
        assert_eq!(value["time"], "2023-11-14T22:13:21Z");
        assert_eq!(value["error"], "undefined decision");
    }

    #[test]
    fn a_query_is_told_as_one() {
        let origin = Origin { asked: Asked::Query("data.a.b".to_owned()), ..origin() };
        let revisions = BTreeMap::new();
        let decision = Decision {
            record: record(Outcome::Result(json!(1).into())),
            input: Some(json!({})),
            revisions: &revisions,
            at: SystemTime::UNIX_EPOCH,
            traceparent: Some("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        };
        let value = Event::new(&origin, decision).to_value().unwrap();
        assert_eq!(value["query"], "data.a.b");
        for absent in ["path", "bundles", "trace_id", "erased", "masked", "error", "nd_builtin_cache"] {
            assert!(value.get(absent).is_none(), "{absent}");
        }
    }
}
