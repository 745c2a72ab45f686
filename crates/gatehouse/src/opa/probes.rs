//! What is told over HTTP.

use std::sync::Arc;

use gateway::{Probes, Readiness};
use telemetry::PluginMetrics;

pub(crate) struct OpaProbes {
    pub(crate) metrics: Option<Arc<PluginMetrics>>,
}

impl Probes for OpaProbes {
    fn readiness(&self) -> Readiness {
        Readiness { ready: true, dependencies: Vec::new() }
    }

    fn metrics(&self) -> String {
        self.metrics.as_ref().map_or_else(String::new, |metrics| metrics.encode())
    }

    fn certificate(&self, _: &str, _: i64) {}
}
