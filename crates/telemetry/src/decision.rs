//! The canonical line of a decision. Its fields are a contract: docs/reference/decision-log.md.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;

use model::{Identity, Reason, Timestamp, Trace};
use serde_json::Value;

/// How a decision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request went on.
    Allow,
    /// It was refused.
    Deny,
    /// A dependency of ours is lost.
    Error,
    /// A dependency is lost, and the route lets such requests pass.
    ErrorAllowed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::Error, Self::ErrorAllowed];

    /// Stable name, as in logs, metadata and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
            Self::ErrorAllowed => "error_allowed",
        }
    }
}

/// Everything that is recorded of a decision. It holds no header values, no query, no token.
#[derive(Debug, Clone, Copy)]
pub struct DecisionRecord<'a> {
    /// Unique name of the decision.
    pub decision_id: &'a str,
    /// `x-request-id`.
    pub request_id: &'a str,
    /// Which snapshot decided.
    pub generation: u64,
    /// API; empty when no route was found.
    pub api: &'a str,
    /// Route; empty when none was found.
    pub route: &'a str,
    /// The route's attributes.
    pub attributes: Option<&'a Value>,
    /// Tenant.
    pub tenant: Option<&'a str>,
    /// Method.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host in normal form.
    pub host: &'a str,
    /// Path without query.
    pub path: &'a str,
    /// The client.
    pub client_address: Option<IpAddr>,
    /// Who called.
    pub identity: Option<&'a Identity>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// HTTP status of the answer; 200 for a request that went on.
    pub status: u16,
    /// Detail for operators.
    pub detail: Option<&'a str>,
    /// Stage by stage.
    pub trace: &'a Trace,
    /// Whether the policy's decision came from the cache.
    pub policy_cached: Option<bool>,
    /// The route logs every decision.
    pub log_allow: bool,
    /// W3C `traceparent`, as received.
    pub traceparent: Option<&'a str>,
    /// When the request arrived.
    pub now: Timestamp,
}

/// The longest text of a field; attackers write paths and hosts.
const LONGEST: usize = 2048;

impl DecisionRecord<'_> {
    /// The line in JSON, with its line break.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut line = Line(Vec::with_capacity(1024));
        line.0.push(b'{');
        line.text("timestamp", &timestamp(self.now));
        line.text("level", if self.outcome == Outcome::Error { "WARN" } else { "INFO" });
        line.text("message", "decision");
        line.text("decision.id", self.decision_id);
        line.text("request.id", self.request_id);
        line.raw("generation", self.generation);
        line.text("outcome", self.outcome.as_str());
        if let Some(reason) = self.reason {
            line.text("reason", reason.as_str());
            line.text("stage", reason.stage().as_str());
        }
        line.raw("http.response.status_code", self.status);
        line.text("http.request.method", self.method);
        line.text("url.scheme", self.scheme);
        line.text("server.address", self.host);
        line.text("url.path", self.path);
        line.optional("client.address", self.client_address.map(|a| a.to_string()).as_deref());
        line.text("api", self.api);
        line.text("route", self.route);
        if let Some(attributes) = self.attributes {
            line.raw("route.attributes", attributes);
        }
        line.optional("tenant", self.tenant);
        match self.identity {
            Some(Identity::Known(principal)) => {
                line.text("principal.id", &principal.subject);
                line.text("principal.issuer", &principal.issuer);
                line.optional("principal.client", principal.client.as_deref());
                line.text("principal.credential", principal.credential.as_str());
            }
            Some(Identity::Anonymous) => line.raw("principal.anonymous", true),
            None => {}
        }
        if let Some(cached) = self.policy_cached {
            line.raw("policy.cached", cached);
        }
        line.optional("detail", self.detail);
        line.optional("trace.id", self.traceparent.and_then(trace_id));
        line.raw("duration_us", self.trace.elapsed().as_micros());
        line.stages(self.trace);
        line.0.extend_from_slice(b"}\n");
        line.0
    }

    /// The line for people.
    pub(crate) fn plain(&self) -> String {
        let mut line = String::with_capacity(256);
        let reason = self.reason.map_or("", |r| r.as_str());
        let subject = self.identity.and_then(Identity::principal).map_or("-", |p| &p.subject);
        let _infallible = writeln!(
            line,
            "{} {} {} {reason} {:?} {:?}{:?} route={} principal={subject:?} status={} generation={} decision={} request={}{}",
            timestamp(self.now),
            if self.outcome == Outcome::Error { "WARN" } else { "INFO" },
            self.outcome.as_str(),
            cut(self.method),
            cut(self.host),
            cut(self.path),
            self.route,
            self.status,
            self.generation,
            self.decision_id,
            self.request_id,
            self.detail.map(|d| format!(" detail={:?}", cut(d))).unwrap_or_default(),
        );
        line
    }
}

struct Line(Vec<u8>);

impl Line {
    fn name(&mut self, name: &str) {
        if !self.0.ends_with(b"{") {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn raw(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        let _infallible = write!(self.0, "{value}");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        let value = cut(value);
        self.0.push(b'"');
        if value.bytes().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\')) {
            self.0.extend_from_slice(value.as_bytes());
            self.0.push(b'"');
            return;
        }
        for character in value.chars() {
            match character {
                '"' | '\\' => self.0.extend_from_slice(&[b'\\', character as u8]),
                // What moves a terminal's cursor or breaks a line, Unicode's own line ends included.
                _ if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') => {
                    let _infallible = write!(self.0, "\\u{:04x}", u32::from(character));
                }
                _ => self.0.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.0.push(b'"');
    }

    /// Microseconds by stage.
    fn stages(&mut self, trace: &Trace) {
        self.name("stages_us");
        self.0.push(b'{');
        for step in &trace.steps {
            self.raw(step.stage.as_str(), step.elapsed.as_micros());
        }
        self.0.push(b'}');
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }
}

/// The text, or as much of it as a field holds.
pub(crate) fn cut(text: &str) -> &str {
    let end = (0..=LONGEST.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// RFC 3339 with microseconds.
fn timestamp(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).map(|t| format!("{t:.6}")).unwrap_or_default()
}

/// The trace id of a W3C `traceparent` (Trace Context §3.2): version, 32 and 16 hexadecimal digits, flags; not all zero.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex =
        |text: &str, len: usize| text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    let well_formed = hex(version, 2)
        && version != "ff"
        && hex(trace, 32)
        && hex(parent, 16)
        && hex(flags, 2)
        && !zero(trace)
        && !zero(parent)
        && (version != "00" || parts.next().is_none());
    well_formed.then_some(trace)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Principal, Stage, StepOutcome};

    use super::*;

    fn line(path: &str) -> Value {
        let mut trace = Trace::start(false);
        trace.end(Stage::Route, StepOutcome::Stop(Reason::NoRoute));
        let attributes = serde_json::json!({ "compliance": ["pci"] });
        let identity = Identity::Known(Arc::new(Principal {
            subject: "ali\"ce\n".into(),
            issuer: "https://i".into(),
            ..Principal::default()
        }));
        let record = DecisionRecord {
            decision_id: "d",
            request_id: "r",
            generation: 7,
            api: "a",
            route: "a.0",
            attributes: Some(&attributes),
            tenant: None,
            method: "GET",
            scheme: "https",
            host: "a.test",
            path,
            client_address: "1.2.3.4".parse().ok(),
            identity: Some(&identity),
            outcome: Outcome::Deny,
            reason: Some(Reason::NoRoute),
            status: 404,
            detail: None,
            trace: &trace,
            policy_cached: None,
            log_allow: false,
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            now: Timestamp::from_secs(1_700_000_000),
        };
        assert!(!record.plain().trim_end().contains('\n'), "{}", record.plain());
        let json = String::from_utf8(record.json()).unwrap();
        assert_eq!(json.chars().filter(|c| c.is_control()).count(), 1, "{json:?}");
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_line_is_one_json_object_whatever_stands_in_it() {
        let hostile = "/a\"b\\\u{1}\n\u{7f}\u{9b}\u{2028}é";
        let line = line(hostile);
        assert_eq!(line["url.path"], hostile);
        assert!(line["stages_us"]["route"].is_u64());
        assert_eq!(line["principal.id"], "ali\"ce\n");
        assert_eq!(line["reason"], "no_route");
        assert_eq!(line["generation"], 7);
        assert_eq!(line["route.attributes"]["compliance"][0], "pci");
        assert_eq!(line["timestamp"], "2023-11-14T22:13:20.000000Z");
        assert_eq!(line["trace.id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(line["client.address"], "1.2.3.4");
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let line = line(&format!("/{}", "é".repeat(5000)));
        assert!(line["url.path"].as_str().unwrap().len() <= LONGEST);
    }

    #[test]
    fn traceparents_are_read_strictly() {
        assert!(trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").is_some());
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f35-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
