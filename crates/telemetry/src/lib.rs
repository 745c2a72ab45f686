//! Logs, metrics and the health registry.
//!
//! A decision is recorded once: counters and histograms that are plain atomics, and one canonical log line that a writer
//! thread puts out, and, where the configuration asks for them, spans. Nothing here can hold up a request: when the writer is
//! behind, lines are dropped and counted.

mod chain;
mod config;
mod decision;
mod health;
mod metrics;
mod output;
mod spans;

pub use chain::error_chain;
pub use config::{LogFormat, LogOutputConfig, TelemetryConfig, TracesConfig};
pub use decision::{DecisionRecord, Outcome, trace_id};
pub use health::{Health, HealthState};
pub use metrics::{BundleMetrics, BundleTimes, DecisionLogMetrics, Metrics, PluginMetrics, SecurityEvent, catalogue};
pub use output::{InitError, TelemetryGuard, init, write_line};
