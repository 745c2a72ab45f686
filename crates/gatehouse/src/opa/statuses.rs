//! How every bundle is: for `/health?bundles`, `/metrics` and status reports.

use std::collections::{BTreeMap, BTreeSet};

use gateway::{Dependency, Readiness};
use parking_lot::Mutex;
use policy::bundle::BundleStatus;
use telemetry::{BundleMetrics, BundleTimes};
use tokio::sync::watch;

/// Bundles by name, and who wants to know when one changes.
pub(crate) struct Statuses {
    bundles: Mutex<BTreeMap<String, BundleStatus>>,
    metrics: BundleMetrics,
    changed: watch::Sender<()>,
}

impl Statuses {
    pub(crate) fn new(names: &BTreeSet<String>) -> Self {
        let bundles = names.iter().map(|name| (name.clone(), BundleStatus::new(name))).collect();
        Self { bundles: Mutex::new(bundles), metrics: BundleMetrics::default(), changed: watch::Sender::new(()) }
    }

    /// Other bundles from now on.
    pub(crate) fn want(&self, names: &BTreeSet<String>) {
        let mut bundles = self.bundles.lock();
        bundles.retain(|name, _| names.contains(name));
        for name in names {
            bundles.entry(name.clone()).or_insert_with(|| BundleStatus::new(name));
        }
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut BundleStatus)) {
        if let Some(status) = self.bundles.lock().get_mut(name) {
            change(status);
        }
        self.changed.send_replace(());
    }

    pub(crate) fn failed(&self, name: &str, message: &str, http_code: Option<u16>, errors: Vec<String>) {
        self.metrics.failed(name);
        self.change(name, |status| status.failed(message, http_code, errors));
    }

    pub(crate) fn activated(&self, name: &str, revision: &str) {
        self.metrics.loaded(name);
        self.change(name, |status| status.activated(revision));
    }

    /// Told of every change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn all(&self) -> BTreeMap<String, BundleStatus> {
        self.bundles.lock().clone()
    }

    /// Whether all bundles decide.
    pub(crate) fn readiness(&self) -> Readiness {
        let dependencies: Vec<Dependency> = self
            .bundles
            .lock()
            .values()
            .map(|status| {
                let state = match (status.last_successful_activation, status.code.as_str()) {
                    (Some(_), "") => "ok",
                    (Some(_), _) => "stale",
                    (None, _) => "missing",
                };
                let detail = (!status.message.is_empty()).then(|| status.message.clone());
                Dependency { name: format!("bundle:{}", status.name), state: state.to_owned(), detail }
            })
            .collect();
        Readiness { ready: dependencies.iter().all(|dependency| dependency.state != "missing"), dependencies }
    }

    /// In Prometheus' text format.
    pub(crate) fn encode(&self) -> String {
        for status in self.bundles.lock().values() {
            let seconds = |time: Option<jiff::Timestamp>| time.map(|time| time.as_nanosecond());
            self.metrics.times(
                &status.name,
                &BundleTimes {
                    request: seconds(status.last_request),
                    successful_request: seconds(status.last_successful_request),
                    download: seconds(status.last_successful_download),
                    activation: seconds(status.last_successful_activation),
                },
                jiff::Timestamp::now().as_nanosecond(),
            );
        }
        self.metrics.encode()
    }
}
