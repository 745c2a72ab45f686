//! Keys of the issuers: fetched in the background, kept on failure, gone at once when the issuer takes them away.
//!
//! ```text
//! KeyRing ──weak──► Cell ◄──Arc── Issuer (in a snapshot)
//!                    │ task: fetches or reads, ends with the cell
//!                    └ KeySet: swapped whole
//! ```
//!
//! A cell belongs to the snapshots that use it: a configuration that is refused leaves nothing behind, and one that names the same
//! source again finds its keys loaded.

mod cell;
mod refresh;
mod set;

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crypto::jose::Jwk;
use model::Timestamp;
use net::{Client, Plaintext};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::authenticate::Authenticator;
use crate::budget::FailureBudget;
use crate::cache::TokenCache;
use crate::config::{FailureBudgetConfig, IssuerConfig};

pub(crate) use cell::Cell;
pub(crate) use set::{Found, KeySet};

/// What happens around keys and tokens, for metrics.
pub trait KeyObserver: Send + Sync {
    /// Keys were fetched, or could not be.
    fn refreshed(&self, _issuer: &str, _ok: bool) {}
    /// A token was accepted.
    fn validated(&self, _elapsed: Duration, _cached: bool) {}
}

/// How an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// When the keys in use were fetched or confirmed.
    pub loaded_at: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub last_error: Option<String>,
    /// When the keys are too old to be used.
    pub stale_at: Option<Timestamp>,
}

/// Where keys come from.
#[derive(Clone)]
pub(crate) enum KeySource {
    /// An address.
    Url(String, Plaintext),
    /// A file.
    File(PathBuf),
    /// A shared secret.
    Fixed(Arc<Jwk>),
}

/// What tells cells apart.
#[derive(PartialEq, Eq)]
pub(crate) struct CellId {
    name: String,
    source: SourceId,
    times: Times,
}

#[derive(PartialEq, Eq)]
enum SourceId {
    Url(String, Plaintext),
    File(PathBuf),
    Fixed([u8; 32]),
}

/// How an issuer's keys are kept fresh.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// From one fetch to the next.
    pub(crate) refresh: Duration,
    /// How long keys are used without being confirmed.
    pub(crate) max_staleness: Duration,
    /// The shortest time between two fetches that tokens asked for.
    pub(crate) min_interval: Duration,
}

/// What all generations share.
pub(crate) struct Shared {
    pub(crate) cache: TokenCache,
    pub(crate) budget: FailureBudget,
    pub(crate) observer: Arc<dyn KeyObserver>,
}

/// Keys, verified tokens and failure budgets of the process. They survive reloads.
pub struct KeyRing {
    client: Client,
    handle: Handle,
    shared: Arc<Shared>,
    cells: Mutex<Vec<(CellId, Weak<Cell>)>>,
}

impl KeyRing {
    /// An empty ring; fetching runs on `handle`.
    pub fn new(client: Client, handle: Handle, observer: Arc<dyn KeyObserver>) -> Self {
        let shared = Arc::new(Shared { cache: TokenCache::new(), budget: FailureBudget::new(), observer });
        Self { client, handle, shared, cells: Mutex::default() }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    fn resize(&self, cache: ::config::Size, budget: &FailureBudgetConfig) {
        self.shared.cache.resize(cache.bytes());
        self.shared.budget.resize(budget.failures, budget.total.max(budget.failures), budget.per.0);
    }

    /// The cell for an issuer: the one in use when source and times are the same, else a new one that begins to fetch.
    ///
    /// # Errors
    /// A file that is no key set. An address may come to be one, a file says what the operator means.
    pub(crate) fn cell(&self, name: &str, source: KeySource, config: &IssuerConfig) -> Result<Arc<Cell>, String> {
        let times = Times {
            refresh: config.refresh.0,
            max_staleness: config.max_staleness.0,
            min_interval: config.min_refresh_interval.0,
        };
        let id = CellId { name: name.to_owned(), source: source.id(), times };
        let mut cells = self.cells.lock();
        cells.retain(|(_, cell)| cell.strong_count() > 0);
        if let Some(cell) = cells.iter().find(|(known, _)| *known == id).and_then(|(_, cell)| cell.upgrade()) {
            return Ok(cell);
        }
        let cell = Cell::start(name, times, source, &self.client, &self.handle, &self.shared)?;
        cells.push((id, Arc::downgrade(&cell)));
        Ok(cell)
    }

    /// A configuration came into force: its sizes count, and issuers that it does not have are forgotten.
    pub fn retain(&self, authenticator: &Authenticator) {
        self.resize(authenticator.token_cache, &authenticator.failures);
        let used = |cell: &Weak<Cell>| authenticator.cells().any(|c| std::ptr::eq(Arc::as_ptr(c), cell.as_ptr()));
        self.cells.lock().retain(|(_, cell)| used(cell));
    }

    /// How the keys of every issuer are, by name.
    pub fn status(&self) -> Vec<KeyStatus> {
        let cells: Vec<Arc<Cell>> = self.cells.lock().iter().filter_map(|(_, cell)| cell.upgrade()).collect();
        let mut all: Vec<KeyStatus> = cells.iter().map(|cell| cell.status()).collect();
        all.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        all
    }
}

impl KeySource {
    fn id(&self) -> SourceId {
        match self {
            Self::Url(url, plaintext) => SourceId::Url(url.clone(), *plaintext),
            Self::File(path) => SourceId::File(path.clone()),
            Self::Fixed(key) => SourceId::Fixed(key.fingerprint),
        }
    }
}
