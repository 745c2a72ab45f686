//! What is told over HTTP.

use std::sync::Arc;

use gateway::{Probes, Readiness};
use telemetry::PluginMetrics;

use super::statuses::Statuses;

pub(crate) struct OpaProbes {
    pub(crate) metrics: Option<Arc<PluginMetrics>>,
    pub(crate) statuses: Arc<Statuses>,
}

impl Probes for OpaProbes {
    fn readiness(&self) -> Readiness {
        self.statuses.readiness()
    }

    fn metrics(&self) -> String {
        let checks = self.metrics.as_ref().map_or_else(String::new, |metrics| metrics.encode());
        // One end of the text for all parts.
        [checks.trim_end_matches("# EOF\n"), &self.statuses.encode()].concat()
    }

    fn certificate(&self, _: &str, _: i64) {}
}
