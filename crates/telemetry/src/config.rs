//! The section `telemetry`.

use config::{Path, Problems};
use net::{Plaintext, check_address};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chain::error_chain;

/// Logs and spans.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// What is logged and how.
    pub log: LogOutputConfig,
    /// Where spans are sent; off when absent.
    pub traces: Option<TracesConfig>,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogOutputConfig {
    /// `json` for machines, `text` for people.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `info,authn=debug`.
    pub level: String,
}

impl Default for LogOutputConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".to_owned() }
    }
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// One line of text.
    Text,
}

/// Spans over OTLP/HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    /// The collector, such as `http://127.0.0.1:4318`; spans go to `/v1/traces` below it.
    pub endpoint: String,
    /// `accept` sends spans over clear text to another machine.
    #[serde(default)]
    pub plaintext: Plaintext,
    /// The share of decisions without `traceparent` that get a span, 0 to 1. With one, its caller has decided.
    #[serde(default)]
    pub sample: f64,
}

impl TelemetryConfig {
    /// The section names no files.
    pub const fn resolve_paths(&mut self, _base: &std::path::Path) {}

    /// Checks what the types cannot say.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        let level = &self.log.level;
        if level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            problems.error(
                &at.key("log").key("level"),
                format!(
                    "`{level}` is no level: use error, warn, info, debug or trace, or a filter such as info,authn=debug"
                ),
            );
        }
        if let Some(traces) = &self.traces {
            let at = at.key("traces");
            if let Err(error) = check_address(&traces.endpoint, traces.plaintext) {
                problems.error(&at.key("endpoint"), error_chain(&error).to_string());
            }
            if !(0.0..=1.0).contains(&traces.sample) {
                problems.error(&at.key("sample"), "a share is a number from 0 to 1");
            }
        }
    }
}
