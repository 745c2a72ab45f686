//! How bundles are, under OPA's names.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Name {
    name: String,
}

/// When things last happened to a bundle, in nanoseconds since the epoch; `None` for never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BundleTimes {
    /// It was asked for.
    pub request: Option<i128>,
    /// It was asked for, and there was an answer.
    pub successful_request: Option<i128>,
    /// It came.
    pub download: Option<i128>,
    /// It began to decide.
    pub activation: Option<i128>,
}

/// Counters and times by bundle.
pub struct BundleMetrics {
    registry: Registry,
    loaded: Family<Name, Counter>,
    failed: Family<Name, Counter>,
    request: Family<Name, Gauge>,
    successful_request: Family<Name, Gauge>,
    download: Family<Name, Gauge>,
    activation: Family<Name, Gauge>,
    age: Family<Name, Gauge>,
}

impl Default for BundleMetrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let (loaded, failed) = (Family::default(), Family::default());
        registry.register("bundle_loaded_counter", "Bundles that were activated", Family::clone(&loaded));
        registry.register("bundle_failed_load_counter", "Bundles that could not be had", Family::clone(&failed));
        let mut gauge = |name: &str, help: &str| {
            let family = Family::<Name, Gauge>::default();
            registry.register(name, help, family.clone());
            family
        };
        let request = gauge("last_bundle_request", "When the bundle was last asked for, in nanoseconds");
        let successful_request = gauge("last_success_bundle_request", "When asking last worked, in nanoseconds");
        let download = gauge("last_success_bundle_download", "When the bundle last came, in nanoseconds");
        let activation = gauge("last_success_bundle_activation", "When the bundle began to decide, in nanoseconds");
        let age = gauge("bundle_age_seconds", "Since the server last confirmed the bundle");
        Self { registry, loaded, failed, request, successful_request, download, activation, age }
    }
}

impl BundleMetrics {
    /// A bundle decides from now on.
    pub fn loaded(&self, name: &str) {
        self.loaded.get_or_create(&Name { name: name.to_owned() }).inc();
    }

    /// A bundle could not be fetched, read or compiled.
    pub fn failed(&self, name: &str) {
        self.failed.get_or_create(&Name { name: name.to_owned() }).inc();
    }

    /// The times of a bundle, and its age at `now`.
    pub fn times(&self, name: &str, times: &BundleTimes, now: i128) {
        let name = Name { name: name.to_owned() };
        let fields = [
            (&self.request, times.request),
            (&self.successful_request, times.successful_request),
            (&self.download, times.download),
            (&self.activation, times.activation),
            (&self.age, times.successful_request.map(|then| (now - then) / 1_000_000_000)),
        ];
        for (family, value) in fields {
            if let Some(value) = value.and_then(|value| i64::try_from(value).ok()) {
                family.get_or_create(&name).set(value);
            }
        }
    }

    /// Prometheus' text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _infallible = encode(&mut text, &self.registry);
        // OPA's counters have no suffix.
        text.replace("_counter_total", "_counter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_opa() {
        let metrics = BundleMetrics::default();
        metrics.loaded("authz");
        metrics.failed("authz");
        let times = BundleTimes { successful_request: Some(3_000_000_000), ..BundleTimes::default() };
        metrics.times("authz", &times, 10_500_000_000);
        let text = metrics.encode();
        for line in [
            r#"bundle_loaded_counter{name="authz"} 1"#,
            r#"bundle_failed_load_counter{name="authz"} 1"#,
            r#"last_success_bundle_request{name="authz"} 3000000000"#,
            r#"bundle_age_seconds{name="authz"} 7"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("last_success_bundle_download{"), "{text}");
    }
}
