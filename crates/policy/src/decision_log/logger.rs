//! From a decision to the log: what is dropped and masked is for the policy to say, where the rest goes for the configuration.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::event::{Decision, Event, Origin};
use super::loss::{Loss, Observer};
use super::mask;
use super::store::Store;
use crate::opa::Plugin;

/// How often a failing rule is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Takes a line in, with its end; false when it cannot. Must not wait for long.
pub trait Console: Send {
    /// Writes a line.
    fn write(&self, line: Vec<u8>) -> bool;
}

/// Writes decisions to the log. Evaluates rules, so it is for a thread of its own.
pub struct Logger {
    origin: Origin,
    console: Option<Box<dyn Console>>,
    store: Option<Arc<Store>>,
    rate: Option<Rate>,
    observer: Arc<dyn Observer>,
    last_told: Option<Instant>,
}

impl Logger {
    /// Writes to the console, to what is uploaded, or to both. `per_second` limits what is uploaded.
    pub fn new(
        origin: Origin,
        console: Option<Box<dyn Console>>,
        store: Option<Arc<Store>>,
        per_second: Option<f64>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let rate = per_second.map(|per_second| Rate::new(per_second, Instant::now()));
        Self { origin, console, store, rate, observer, last_told: None }
    }

    /// Logs a decision of that plugin.
    pub fn log(&mut self, plugin: &Plugin, decision: Decision<'_>) {
        let mut event = Event::new(&self.origin, decision);
        match judged(plugin, &mut event) {
            Ok(true) => self.write(&event),
            Ok(false) => {}
            Err(problem) => self.unfit(&problem),
        }
    }

    /// Makes what was logged outlive the process.
    pub fn flush(&self) {
        if let Some(store) = &self.store {
            store.flush();
        }
    }

    fn write(&mut self, event: &Event) {
        let mut is_logged = false;
        if let Some(console) = &self.console {
            let written = event.to_console_line(SystemTime::now()).is_some_and(|line| console.write(line));
            is_logged = written;
            if !written {
                self.observer.lost(Loss::Console, 1);
            }
        }
        if let Some(store) = &self.store {
            let is_within = self.rate.as_mut().is_none_or(|rate| rate.admits(Instant::now()));
            match event.to_line().filter(|_| is_within) {
                Some(line) => {
                    store.add(line);
                    is_logged = true;
                }
                None => self.observer.lost(Loss::Rate, 1),
            }
        }
        if is_logged {
            self.observer.logged();
        }
    }

    fn unfit(&mut self, problem: &str) {
        self.observer.lost(Loss::MaskFailed, 1);
        if self.last_told.is_none_or(|last| last.elapsed() >= TOLD_EVERY) {
            self.last_told = Some(Instant::now());
            tracing::error!(problem, "decision logs: an event cannot be masked and is not logged");
        }
    }
}

/// Masks the event; false when the policy leaves it out.
fn judged(plugin: &Plugin, event: &mut Event) -> Result<bool, String> {
    if !plugin.has_log_rules() {
        return Ok(true);
    }
    let seen = event.to_value().ok_or("it is no JSON")?;
    if plugin.drops(&seen)? {
        return Ok(false);
    }
    let said = plugin.mask(&seen)?;
    mask::mask(event, &said).map_err(|error| error.to_string())?;
    Ok(true)
}

/// So many in a second, and as many at once.
struct Rate {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    fn new(per_second: f64, now: Instant) -> Self {
        Self { per_second, left: per_second.max(1.0), at: now }
    }

    fn admits(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.per_second.max(1.0));
        self.at = now;
        let admits = self.left >= 1.0;
        if admits {
            self.left -= 1.0;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use parking_lot::Mutex;
    use serde_json::{Value, json};

    use super::super::testing::Counts;
    use super::*;
    use crate::opa::{Loaded, LogRules, Outcome, PluginOptions, Record};

    #[derive(Default, Clone)]
    struct Lines(Arc<Mutex<Vec<Value>>>);

    impl Console for Lines {
        fn write(&self, line: Vec<u8>) -> bool {
            self.0.lock().push(serde_json::from_slice(&line).unwrap());
            true
        }
    }

    struct Full;

    impl Console for Full {
        fn write(&self, _: Vec<u8>) -> bool {
            false
        }
    }

    fn plugin(rules: &str, log: LogRules) -> Plugin {
        let mut loaded = Loaded::default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("p.rego"), rules).unwrap();
        loaded.add_path(folder.path(), false, false).unwrap();
        let path = vec!["envoy".to_owned(), "authz".to_owned(), "allow".to_owned()];
        Plugin::compile(&loaded, PluginOptions { path, log, ..PluginOptions::default() }).unwrap()
    }

    fn logged(plugin: &Plugin, inputs: &[Option<Value>]) -> (Vec<Value>, Arc<Counts>) {
        let (lines, counts) = (Lines::default(), Arc::new(Counts::default()));
        let observer = Arc::clone(&counts) as Arc<dyn Observer>;
        let mut logger = Logger::new(Origin::default(), Some(Box::new(lines.clone())), None, None, observer);
        inputs.iter().for_each(|input| logger.log(plugin, decision(input.clone())));
        let lines = lines.0.lock().clone();
        (lines, counts)
    }

    fn decision(input: Option<Value>) -> Decision<'static> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        let second = Duration::from_secs(1);
        let record = Record {
            decision_id: "d".to_owned(),
            outcome: Outcome::Result(json!({ "allowed": true }).into()),
            handler: second,
            evaluation: second,
        };
        Decision { record, input, revisions: &NONE, at: SystemTime::UNIX_EPOCH, traceparent: None }
    }

    #[test]
    fn the_policy_says_what_is_masked_and_left_out() {
        let rules = r#"package system.log
            mask contains "/input/secret"
            mask contains {"op": "upsert", "path": "/result/allowed", "value": "?"} if input.path == "envoy/authz/allow"
            drop if input.input.health"#;
        let inputs = [Some(json!({ "secret": 1, "n": 1 })), Some(json!({ "health": true })), Some(json!({ "n": 2 }))];
        let (lines, counts) = logged(&plugin(rules, LogRules::default()), &inputs);
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["input"], &lines[1]["input"]), (&json!({ "n": 1 }), &json!({ "n": 2 })));
        assert_eq!(lines[0]["erased"], json!(["/input/secret"]));
        assert_eq!(
            (&lines[0]["masked"], &lines[0]["result"]),
            (&json!(["/result/allowed"]), &json!({ "allowed": "?" }))
        );
        assert!(lines[1].get("erased").is_none());
        assert_eq!((counts.logged(), counts.lost_in_all()), (2, 0));
    }

    #[test]
    fn other_rules_can_be_named() {
        let rules = r#"package own.log
            hidden := ["/input/secret"]
            skipped if input.input.health"#;
        let path = |name: &str| ["own", "log", name].map(str::to_owned).to_vec();
        let log = LogRules { mask: path("hidden"), drop: path("skipped") };
        let inputs = [Some(json!({ "secret": 1 })), Some(json!({ "health": true }))];
        let (lines, _) = logged(&plugin(rules, log), &inputs);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["input"], json!({}));
    }

    #[test]
    fn an_event_that_cannot_be_masked_is_not_logged() {
        for rule in [
            r#"mask contains "/labels/id""#,
            r#"mask := "/input/secret""#,
            "mask := {\"a\": 1}",
            "mask contains 3",
            "mask := {x} if { some x in [1, 2]; x > 0 }\nmask := {\"/input\"}",
            "drop := true if input.input.secret\ndrop := false",
            "mask := {\"/input/a\"} if input.path\nmask := {\"/input/b\"} if input.input.secret",
        ] {
            let plugin = plugin(&format!("package system.log\n{rule}"), LogRules::default());
            let (lines, counts) = logged(&plugin, &[Some(json!({ "secret": true }))]);
            assert_eq!((lines.len(), counts.lost(Loss::MaskFailed), counts.logged()), (0, 1, 0), "{rule}");
        }
    }

    /// opa-envoy-plugin ends on this one.
    #[test]
    fn an_input_that_could_not_be_parsed_is_logged_as_null() {
        let rules = r#"package system.log
            mask contains {"op": "upsert", "path": "/input/a/b", "value": 1}"#;
        let (lines, _) = logged(&plugin(rules, LogRules::default()), &[None]);
        assert_eq!(lines[0]["input"], Value::Null);
    }

    #[test]
    fn a_console_that_takes_nothing_is_counted() {
        let counts = Arc::new(Counts::default());
        let observer = Arc::clone(&counts) as Arc<dyn Observer>;
        let mut logger = Logger::new(Origin::default(), Some(Box::new(Full)), None, None, observer);
        logger.log(&plugin("package x", LogRules::default()), decision(Some(json!({}))));
        assert_eq!((counts.lost(Loss::Console), counts.logged()), (1, 0));
    }

    #[test]
    fn a_rate_is_kept() {
        let start = Instant::now();
        let mut rate = Rate::new(2.0, start);
        let mut admitted = |millis: u64| rate.admits(start + Duration::from_millis(millis));
        assert_eq!(
            [admitted(0), admitted(0), admitted(0), admitted(500), admitted(600)],
            [true, true, false, true, false]
        );
        assert_eq!([admitted(9_000), admitted(9_000), admitted(9_000)], [true, true, false]);
        let mut slow = Rate::new(0.5, start);
        assert!(slow.admits(start) && !slow.admits(start + Duration::from_secs(1)));
        assert!(slow.admits(start + Duration::from_secs(2)));
    }
}
