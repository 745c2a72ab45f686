//! What is told over HTTP.

use std::sync::Arc;

use gateway::{Probes, Readiness};
use telemetry::PluginMetrics;

use super::logs::Logs;
use super::statuses::Statuses;

pub(crate) struct OpaProbes {
    pub(crate) metrics: Option<Arc<PluginMetrics>>,
    pub(crate) statuses: Arc<Statuses>,
    pub(crate) logs: Option<Arc<Logs>>,
}

impl Probes for OpaProbes {
    fn readiness(&self) -> Readiness {
        self.statuses.readiness()
    }

    fn metrics(&self) -> String {
        let checks = self.metrics.as_ref().map_or_else(String::new, |metrics| metrics.encode());
        let logs = self.logs.as_ref().map_or_else(String::new, |logs| logs.encode());
        // One end of the text for all parts.
        [checks.trim_end_matches("# EOF\n"), logs.trim_end_matches("# EOF\n"), &self.statuses.encode()].concat()
    }

    fn certificate(&self, _: &str, _: i64) {}
}
