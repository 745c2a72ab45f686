//! What the HTTP listener tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use authn::KeyRing;
use gateway::{Dependency, Probes, Readiness};
use model::{Clock as _, SystemClock};
use parking_lot::Mutex;
use ratelimit::Store;
use telemetry::{Health, HealthState, Metrics};

/// Health, keys and metrics of the process.
pub(crate) struct HealthProbes {
    pub(crate) health: Arc<Health>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Arc<dyn Store>,
    /// End of each listener's certificate, in seconds since the epoch.
    pub(crate) certificates: Mutex<BTreeMap<String, i64>>,
}

impl Probes for HealthProbes {
    fn readiness(&self) -> Readiness {
        let mut ready = self.health.ready();
        let named = self.health.all().into_iter().map(|(name, state, detail)| Dependency {
            name,
            state: match state {
                HealthState::Ready => "ready",
                HealthState::Degraded => "degraded",
                HealthState::Down => "down",
            }
            .to_owned(),
            detail: Some(detail).filter(|d| !d.is_empty()),
        });
        let mut dependencies: Vec<Dependency> = named.collect();
        for keys in self.keys.status() {
            let loaded = keys.loaded_at.is_some();
            ready &= loaded;
            dependencies.push(Dependency {
                name: format!("keys of issuer {}", keys.issuer),
                state: if loaded { "ready" } else { "waiting" }.to_owned(),
                detail: keys.last_error,
            });
        }
        Readiness { ready, dependencies }
    }

    fn metrics(&self) -> String {
        let now = SystemClock.now().as_secs();
        for keys in self.keys.status() {
            if let Some(stale_at) = keys.stale_at {
                self.metrics.keys_stale_in(&keys.issuer, stale_at.as_secs() - now);
            }
        }
        for (listener, not_after) in self.certificates.lock().iter() {
            self.metrics.certificate_expires_in(listener, not_after - now);
        }
        self.metrics.limit_keys(self.store.keys());
        self.metrics.encode()
    }

    fn certificate(&self, listener: &str, not_after: i64) {
        self.certificates.lock().insert(listener.to_owned(), not_after);
    }
}
