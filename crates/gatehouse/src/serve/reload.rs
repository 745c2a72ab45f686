//! Another configuration while requests go on: load, validate, compile, swap. A bad one changes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use authn::KeyRing;
use config::{Report, Watcher};
use gateway::ServerConfig;
use model::{Clock as _, SystemClock};
use pipeline::Snapshot;
use settings::{Built, Config};
use telemetry::{Health, HealthState, Metrics, TelemetryConfig};
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

/// How often contents are compared where the system sends no notifications.
const POLL: Duration = Duration::from_secs(10);

/// The sections that are in force from start to end.
pub(crate) struct Fixed {
    server: ServerConfig,
    telemetry: TelemetryConfig,
}

impl Fixed {
    pub(crate) fn of(config: &Config) -> Self {
        Self { server: config.server.clone(), telemetry: config.telemetry.clone() }
    }
}

/// Swaps snapshots.
pub(crate) struct Reloader {
    pub(crate) path: PathBuf,
    /// What listens and logs now.
    pub(crate) fixed: Fixed,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) generation: u64,
}

impl Reloader {
    /// Reloads at every change of `files` and at every SIGHUP, until `stop`.
    pub(crate) async fn run(mut self, files: Vec<PathBuf>, mut hangup: Signal, stop: CancellationToken) {
        self.metrics.config_loaded(self.generation, SystemClock.now());
        self.health.set("configuration", HealthState::Ready, "");
        let mut watcher = Watcher::new(files, POLL);
        loop {
            let why = tokio::select! {
                () = stop.cancelled() => return,
                () = watcher.changed() => "files changed",
                _ = hangup.recv() => "SIGHUP",
            };
            if let Some(files) = self.reload(why).await {
                watcher.watch(files);
            }
        }
    }

    /// One attempt. The answer is what to watch from now on, when it worked.
    async fn reload(&mut self, why: &'static str) -> Option<Vec<PathBuf>> {
        let generation = self.generation + 1;
        let (path, keys) = (self.path.clone(), Arc::clone(&self.keys));
        let attempt = tokio::task::spawn_blocking(move || {
            let loaded = settings::load(&path)?;
            let built = settings::build(&loaded, &keys, generation)?;
            Ok::<(Built, Fixed), Report>((built, Fixed::of(&loaded.config)))
        });
        match attempt.await {
            Ok(Ok((built, fixed))) => Some(self.swap(built, &fixed, why)),
            Ok(Err(report)) => {
                self.refuse(&report, why);
                None
            }
            Err(panic) => {
                tracing::error!(why, error = %panic, "building the new configuration failed; the running one is kept");
                self.metrics.config_refused();
                None
            }
        }
    }

    fn swap(&mut self, built: Built, fixed: &Fixed, why: &str) -> Vec<PathBuf> {
        for warning in built.report.findings() {
            tracing::warn!(problem = %warning, "configuration");
        }
        if fixed.server != self.fixed.server {
            tracing::warn!("section `server` changed: listeners and workers change only at the next start");
        }
        if fixed.telemetry != self.fixed.telemetry {
            tracing::warn!("section `telemetry` changed: logs and spans change only at the next start");
        }
        self.generation = built.snapshot.generation();
        self.keys.retain(built.snapshot.authenticator());
        let old = self.snapshot.swap(Arc::new(built.snapshot));
        // Freeing thousands of routes and policies takes time that no other task should wait for.
        tokio::task::spawn_blocking(move || drop(old));
        self.metrics.config_loaded(self.generation, SystemClock.now());
        tracing::info!(why, generation = self.generation, "configuration reloaded");
        built.files
    }

    fn refuse(&self, report: &Report, why: &str) {
        self.metrics.config_refused();
        for finding in report.findings() {
            tracing::error!(problem = %finding, "configuration");
        }
        tracing::error!(
            why,
            problems = report.errors(),
            generation = self.generation,
            "the new configuration is refused; the running one is kept"
        );
    }
}
