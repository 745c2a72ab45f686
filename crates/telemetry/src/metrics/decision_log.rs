//! What happens to events of the decision log.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Resulted {
    result: &'static str,
}

/// Counters of the decision log.
pub struct DecisionLogMetrics {
    registry: Registry,
    logged: Counter,
    lost: Family<Reason, Counter>,
    caches: Counter,
    /// `[ok, failed]`
    uploads: [Counter; 2],
    pending: Gauge,
}

impl DecisionLogMetrics {
    /// `reasons` are those for which events can be lost: each is counted from zero.
    pub fn new(reasons: &[&'static str]) -> Self {
        let mut registry = Registry::with_prefix("gatehouse_decision_log");
        let (logged, caches, pending) = (Counter::default(), Counter::default(), Gauge::default());
        let lost = Family::<Reason, Counter>::default();
        let uploads = Family::<Resulted, Counter>::default();
        registry.register("events", "Decisions that were taken into the log", logged.clone());
        registry.register("dropped_events", "Decisions that were lost, by the reason", lost.clone());
        registry.register(
            "nd_builtin_caches_dropped",
            "Decisions that were logged without nd_builtin_cache, to fit into an upload",
            caches.clone(),
        );
        registry.register("uploads", "Uploads by their result", uploads.clone());
        registry.register("pending_bytes", "Compressed bytes that wait to be uploaded", pending.clone());
        for reason in reasons {
            let _from_zero = lost.get_or_create(&Reason { reason });
        }
        let uploads = ["ok", "failed"].map(|result| uploads.get_or_create_owned(&Resulted { result }));
        Self { registry, logged, lost, caches, uploads, pending }
    }

    /// A decision was taken into the log.
    pub fn logged(&self) {
        self.logged.inc();
    }

    /// Decisions were lost.
    pub fn lost(&self, reason: &'static str, events: u64) {
        self.lost.get_or_create(&Reason { reason }).inc_by(events);
    }

    /// Decisions were logged without `nd_builtin_cache`.
    pub fn cache_dropped(&self, events: u64) {
        self.caches.inc_by(events);
    }

    /// An upload was acknowledged, or was not.
    pub fn uploaded(&self, acknowledged: bool) {
        let [ok, failed] = &self.uploads;
        if acknowledged { ok } else { failed }.inc();
    }

    /// Compressed bytes that wait.
    pub fn pending(&self, bytes: u64) {
        self.pending.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Prometheus' text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_from_zero() {
        let metrics = DecisionLogMetrics::new(&["rate", "queue_full"]);
        metrics.logged();
        metrics.lost("rate", 3);
        metrics.uploaded(true);
        metrics.pending(7);
        let text = metrics.encode();
        for line in [
            "gatehouse_decision_log_events_total 1",
            r#"gatehouse_decision_log_dropped_events_total{reason="rate"} 3"#,
            r#"gatehouse_decision_log_dropped_events_total{reason="queue_full"} 0"#,
            r#"gatehouse_decision_log_uploads_total{result="ok"} 1"#,
            r#"gatehouse_decision_log_uploads_total{result="failed"} 0"#,
            "gatehouse_decision_log_nd_builtin_caches_dropped_total 0",
            "gatehouse_decision_log_pending_bytes 7",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
