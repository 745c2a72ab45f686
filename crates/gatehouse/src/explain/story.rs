//! The trace of a decision, told.

use std::fmt;

use model::{Answer, HeaderEdit, OwnedRequest, StepOutcome};
use pipeline::Checked;
use serde::Serialize;
use serde_json::{Map, Value};

/// What `explain` prints.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    request: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    stages: Vec<Told>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_upstream: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_client: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    metadata: Map<String, Value>,
    microseconds: u128,
}

/// One stage.
#[derive(Debug, Serialize)]
struct Told {
    stage: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    microseconds: u128,
    notes: Vec<String>,
}

impl Story {
    pub(super) fn of(request: &OwnedRequest, checked: &Checked) -> Self {
        let mut story = Self {
            // Without the query: it may carry what nobody should read in a terminal's history.
            request: format!(
                "{} {}://{}{}",
                request.method,
                request.scheme,
                request.host,
                without_query(&request.path)
            ),
            outcome: "allow",
            status: None,
            reason: checked.reason.map(|r| r.as_str()),
            stages: stages(checked),
            to_upstream: Vec::new(),
            to_client: Vec::new(),
            body: String::new(),
            metadata: checked.metadata.clone(),
            microseconds: checked.trace.elapsed().as_micros(),
        };
        match &checked.answer {
            Answer::Allow(allowed) => {
                story.to_upstream.extend(allowed.headers.iter().map(edit));
                story.to_upstream.extend(allowed.headers_to_remove.iter().map(|name| format!("remove {name}")));
                story.to_upstream.extend(allowed.query_set.iter().map(|(k, v)| format!("query {k}={v}")));
                story.to_upstream.extend(allowed.query_remove.iter().map(|k| format!("remove query {k}")));
                story.to_client.extend(allowed.response_headers.iter().map(edit));
            }
            Answer::Deny(refusal) | Answer::Error(refusal) => {
                story.outcome = if matches!(checked.answer, Answer::Deny(_)) { "deny" } else { "error" };
                story.status = Some(refusal.status);
                story.to_client.extend(refusal.headers.iter().map(edit));
                story.body.clone_from(&refusal.body);
            }
        }
        story
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

fn edit(header: &HeaderEdit) -> String {
    format!("{} {}: {}", if header.append { "add" } else { "set" }, header.name, header.value)
}

fn stages(checked: &Checked) -> Vec<Told> {
    let told = checked.trace.steps.iter().map(|step| {
        let (outcome, reason) = match step.outcome {
            StepOutcome::Pass => ("pass", None),
            StepOutcome::Stop(reason) => ("stop", Some(reason.as_str())),
        };
        let notes = checked.trace.notes.iter().filter(|(stage, _)| *stage == step.stage).map(|(_, n)| n.clone());
        Told {
            stage: step.stage.as_str(),
            outcome,
            reason,
            microseconds: step.elapsed.as_micros(),
            notes: notes.collect(),
        }
    });
    told.collect()
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.request)?;
        for stage in &self.stages {
            let outcome = stage.reason.unwrap_or(stage.outcome);
            writeln!(f, "  {:<13}{outcome:<28}{:>8} µs", stage.stage, stage.microseconds)?;
            for note in &stage.notes {
                writeln!(f, "      {note}")?;
            }
        }
        write!(f, "\n{}", self.outcome)?;
        match (self.status, self.reason) {
            (Some(status), Some(reason)) => writeln!(f, " with {status}, reason {reason}")?,
            (Some(status), None) => writeln!(f, " with {status}")?,
            (None, _) => writeln!(f)?,
        }
        for (title, lines) in [("to the upstream", &self.to_upstream), ("to the client", &self.to_client)] {
            if !lines.is_empty() {
                writeln!(f, "\n{title}:")?;
                lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
            }
        }
        if !self.body.is_empty() {
            writeln!(f, "\n{}", self.body.trim_end())?;
        }
        if !self.metadata.is_empty() {
            writeln!(f, "\nmetadata:")?;
            self.metadata.iter().try_for_each(|(key, value)| writeln!(f, "  {key}: {value}"))?;
        }
        write!(f, "\n{} µs in all", self.microseconds)
    }
}
