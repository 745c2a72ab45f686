//! The parts that live as long as the process: keys, counters, metrics.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use authn::{KeyObserver, KeyRing};
use model::SystemClock;
use pipeline::Services;
use ratelimit::MemoryStore;
use telemetry::Metrics;
use tokio::runtime::Handle;

use crate::failure::Failure;

/// What outlives a snapshot.
pub(crate) struct Engine {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) services: Arc<Services>,
    pub(crate) client: net::Client,
}

impl Engine {
    /// Background work runs on `handle`.
    pub(crate) fn start(config: &settings::Config, handle: Handle) -> Result<Self, Failure> {
        crypto::install_default_provider();
        let authorities = net::ClientConfig { ca_file: config.authn.ca_file.clone(), ..net::ClientConfig::default() };
        let client = net::Client::new(authorities).context("cannot set up the HTTP client (authn.ca_file)")?;
        let metrics = Metrics::new();
        let keys = Arc::new(KeyRing::new(client.clone(), handle, Arc::new(KeyMetrics(Arc::clone(&metrics)))));
        let store = Arc::new(MemoryStore::new(config.ratelimit.max_keys));
        let services = Arc::new(Services { store, metrics, clock: Arc::new(SystemClock) });
        Ok(Self { keys, services, client })
    }

    /// Waits until the keys of every issuer were fetched or refused once, at most `patience`.
    pub(crate) async fn keys_settled(&self, patience: Duration) {
        let settled = async {
            while self.keys.status().iter().any(|k| k.loaded_at.is_none() && k.last_error.is_none()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Without keys the explanation says so.
        let _out_of_patience = tokio::time::timeout(patience, settled).await;
    }
}

struct KeyMetrics(Arc<Metrics>);

impl KeyObserver for KeyMetrics {
    fn refreshed(&self, issuer: &str, ok: bool) {
        self.0.key_refresh(issuer, ok);
    }

    fn validated(&self, elapsed: Duration, cached: bool) {
        self.0.token_validated(elapsed, cached);
    }
}
