//! The metrics of opa-envoy-plugin, under its names.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Handler {
    handler: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// `grpc_request_duration_seconds` and `error_counter`.
pub struct PluginMetrics {
    registry: Registry,
    checks: Histogram,
    errors: Family<Reason, Counter>,
}

impl PluginMetrics {
    /// `buckets` are the upper bounds of the histogram, in seconds.
    pub fn new(buckets: &[f64]) -> Arc<Self> {
        let mut registry = Registry::default();
        let bounds = buckets.to_vec();
        let durations: Family<Handler, Histogram, _> =
            Family::new_with_constructor(move || Histogram::new(bounds.iter().copied()));
        let errors = Family::<Reason, Counter>::default();
        registry.register(
            "grpc_request_duration_seconds",
            "A histogram of duration for grpc authz requests",
            durations.clone(),
        );
        registry.register("error_counter", "A counter for errors", errors.clone());
        let checks = durations.get_or_create(&Handler { handler: "check" }).clone();
        Arc::new(Self { registry, checks, errors })
    }

    /// A check ended in a decision.
    pub fn checked(&self, took: Duration) {
        self.checks.observe(took.as_secs_f64());
    }

    /// A check ended in an error with this code.
    pub fn failed(&self, code: &str) {
        self.errors.get_or_create(&Reason { reason: code.to_owned() }).inc();
    }

    /// Prometheus' text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _infallible = encode(&mut text, &self.registry);
        // The plugin's counter has no suffix.
        text.replace("error_counter_total", "error_counter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_plugin() {
        let metrics = PluginMetrics::new(&[0.001, 1.0]);
        metrics.checked(Duration::from_millis(20));
        metrics.failed("request_parse_error");
        let text = metrics.encode();
        for line in [
            r#"grpc_request_duration_seconds_bucket{le="0.001",handler="check"} 0"#,
            r#"grpc_request_duration_seconds_bucket{le="1.0",handler="check"} 1"#,
            r#"grpc_request_duration_seconds_count{handler="check"} 1"#,
            r#"error_counter{reason="request_parse_error"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
