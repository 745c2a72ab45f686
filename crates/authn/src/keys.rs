//! Keys of the issuers: fetched in the background, kept on failure, gone at once when the issuer takes them away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use crypto::jose::{Algorithm, Jwk, parse_jwks};
use model::{Clock, SystemClock, Timestamp};
use net::{Client, Fetched};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::authenticate::Authenticator;
use crate::budget::FailureBudget;
use crate::cache::TokenCache;
use crate::config::{FailureBudgetConfig, IssuerConfig};

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
    Url(String),
    File(PathBuf),
    Fixed(Arc<Jwk>),
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
    cells: Mutex<BTreeMap<String, (Arc<Cell>, Option<AbortHandle>)>>,
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
        self.shared.budget.resize(budget.failures, budget.per.0);
    }

    /// The cell for an issuer: the one there is when source and times are the same, else a new one that begins to fetch.
    pub(crate) fn cell(&self, name: &str, source: KeySource, config: &IssuerConfig) -> Result<Arc<Cell>, String> {
        let id = cell_id(name, &source, config);
        let mut cells = self.cells.lock();
        if let Some((cell, _)) = cells.get(&id) {
            return Ok(Arc::clone(cell));
        }
        let cell = Arc::new(Cell::new(name, config));
        let task = match source {
            KeySource::Fixed(key) => {
                cell.keys.store(Some(Arc::new(KeySet { keys: vec![key] })));
                cell.loaded_at.store(i64::MAX, Ordering::Release);
                None
            }
            KeySource::File(path) => {
                // A file is there or the configuration is wrong; an address may come to be.
                let seen = stamp(&path);
                cell.read_file(&path)?;
                Some(self.handle.spawn(Arc::clone(&cell).watch_file(path, seen, Arc::clone(&self.shared))))
            }
            KeySource::Url(url) => Some(self.handle.spawn(Arc::clone(&cell).fetch_forever(
                url,
                self.client.clone(),
                Arc::clone(&self.shared),
            ))),
        };
        cells.insert(id, (Arc::clone(&cell), task.map(|t| t.abort_handle())));
        Ok(cell)
    }

    /// A configuration came into force: its sizes count, and fetching stops for issuers that it no longer has.
    pub fn retain(&self, authenticator: &Authenticator) {
        self.resize(authenticator.token_cache, &authenticator.failures);
        self.cells.lock().retain(|_, (cell, task)| {
            let used = authenticator.cells().any(|c| Arc::ptr_eq(c, cell));
            if let (false, Some(task)) = (used, task) {
                task.abort();
            }
            used
        });
    }

    /// How the keys of every issuer are.
    pub fn status(&self) -> Vec<KeyStatus> {
        self.cells.lock().values().map(|(cell, _)| cell.status()).collect()
    }
}

fn cell_id(name: &str, source: &KeySource, config: &IssuerConfig) -> String {
    let from = match source {
        KeySource::Url(url) => format!("url {url}"),
        KeySource::File(path) => format!("file {}", path.display()),
        KeySource::Fixed(key) => format!("secret {:?}", key.fingerprint),
    };
    format!("{name}\n{from}\n{}\n{}\n{}", config.refresh, config.max_staleness, config.min_refresh_interval)
}

/// The keys of an issuer at one moment.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<Arc<Jwk>>,
}

/// What a look-up found.
pub(crate) enum Found {
    /// Keys to try, at most four.
    Keys(smallvec::SmallVec<[Arc<Jwk>; 1]>),
    /// The `kid` is there, and its key is for something else.
    Unfit,
    Nothing,
}

impl KeySet {
    /// The keys for a token. Without `kid`, every key that fits, up to four.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Found {
        let named =
            |key: &&Arc<Jwk>| kid.is_none() || key.kid.as_deref() == kid || key.kid.is_none() && self.keys.len() == 1;
        let keys: smallvec::SmallVec<[Arc<Jwk>; 1]> =
            self.keys.iter().filter(named).filter(|k| k.fits(algorithm)).take(4).cloned().collect();
        if !keys.is_empty() {
            Found::Keys(keys)
        } else if kid.is_some() && self.keys.iter().any(|k| named(&k)) {
            Found::Unfit
        } else {
            Found::Nothing
        }
    }

    /// True while the key is in the set.
    pub(crate) fn holds(&self, key: &Arc<Jwk>) -> bool {
        self.keys.iter().any(|k| {
            Arc::ptr_eq(k, key) || k.fingerprint == key.fingerprint && k.kid == key.kid && k.algorithm == key.algorithm
        })
    }
}

/// The keys of one issuer, and how they are kept.
pub(crate) struct Cell {
    name: String,
    keys: ArcSwapOption<KeySet>,
    /// Nanoseconds since the epoch; 0 before the first success.
    loaded_at: AtomicI64,
    error: Mutex<Option<String>>,
    refresh: Duration,
    max_staleness: Duration,
    min_interval: Duration,
    wanted: Notify,
    /// Counts fetches that requests asked for.
    asked: AtomicU64,
    /// The newest of them that was answered by a fetch that began after it.
    answered: watch::Sender<u64>,
    /// Milliseconds after `born` of the last fetch for an unknown `kid`, plus one; 0 when there was none.
    last_wanted: AtomicU64,
    born: Instant,
}

impl Cell {
    fn new(name: &str, config: &IssuerConfig) -> Self {
        Self {
            name: name.to_owned(),
            keys: ArcSwapOption::empty(),
            loaded_at: AtomicI64::new(0),
            error: Mutex::new(None),
            refresh: config.refresh.0,
            max_staleness: config.max_staleness.0,
            min_interval: config.min_refresh_interval.0,
            wanted: Notify::new(),
            asked: AtomicU64::new(0),
            answered: watch::Sender::new(0),
            last_wanted: AtomicU64::new(0),
            born: Instant::now(),
        }
    }

    /// The keys, unless there are none or they are too old.
    pub(crate) fn usable(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let loaded = self.loaded_at.load(Ordering::Acquire);
        let fresh = loaded == i64::MAX || now <= Timestamp::from_nanos(loaded).saturating_add(self.max_staleness);
        self.keys.load_full().filter(|_| fresh)
    }

    /// Asks for a fetch now, unless one was asked for too recently, and waits for its end; joins one that is under way. Afterwards the
    /// caller looks at the keys again.
    pub(crate) async fn refreshed(&self, deadline: Option<Instant>) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let last = self.last_wanted.load(Ordering::Acquire);
        let interval = u64::try_from(self.min_interval.as_millis()).unwrap_or(u64::MAX);
        let mut answered = self.answered.subscribe();
        let due = last == 0 || now.saturating_sub(last) >= interval;
        if due && self.last_wanted.compare_exchange(last, now, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.asked.fetch_add(1, Ordering::AcqRel);
            self.wanted.notify_one();
        }
        let asked = self.asked.load(Ordering::Acquire);
        let patience = Duration::from_secs(1);
        let left = deadline.map_or(patience, |d| d.saturating_duration_since(Instant::now()).min(patience));
        let _in_time = tokio::time::timeout(left, answered.wait_for(|done| *done >= asked)).await;
    }

    fn status(&self) -> KeyStatus {
        let loaded = self.loaded_at.load(Ordering::Acquire);
        let loaded_at =
            (loaded != 0).then(|| if loaded == i64::MAX { SystemClock.now() } else { Timestamp::from_nanos(loaded) });
        let stale_at = loaded_at.filter(|_| loaded != i64::MAX).map(|at| at.saturating_add(self.max_staleness));
        KeyStatus { issuer: self.name.clone(), loaded_at, last_error: self.error.lock().clone(), stale_at }
    }

    fn accept(&self, json: &[u8]) -> Result<(), String> {
        let jwks = parse_jwks(json).map_err(|e| e.to_string())?;
        for why in &jwks.skipped {
            tracing::warn!(issuer = self.name, "key left out: {why}");
        }
        // A key that was there before keeps its place, so that tokens it verified stay cached.
        let before = self.keys.load();
        let old = |key: &Arc<Jwk>| {
            let same = before
                .as_ref()?
                .keys
                .iter()
                .find(|k| k.fingerprint == key.fingerprint && k.kid == key.kid && k.algorithm == key.algorithm);
            same.cloned()
        };
        let keys = jwks.keys.into_iter().map(|key| old(&key).unwrap_or(key)).collect();
        self.keys.store(Some(Arc::new(KeySet { keys })));
        self.confirm();
        Ok(())
    }

    fn confirm(&self) {
        self.loaded_at.store(SystemClock.now().as_nanos(), Ordering::Release);
        *self.error.lock() = None;
    }

    fn read_file(&self, path: &std::path::Path) -> Result<(), String> {
        let json = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        self.accept(&json).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Reads the file again when it changes. A file does not go stale: it is what the operator says now.
    async fn watch_file(self: Arc<Self>, path: PathBuf, mut seen: Option<(SystemTime, u64)>, shared: Arc<Shared>) {
        loop {
            let asked = tokio::time::timeout(Duration::from_secs(1), self.wanted.notified()).await.is_ok();
            let now = stamp(&path);
            if now != seen || asked {
                let before = self.asked.load(Ordering::Acquire);
                let read = self.read_file(&path);
                self.ended(&shared, before, read.as_ref().map(|()| ()).map_err(String::as_str));
                seen = now;
            } else if now.is_some() && self.error.lock().is_none() {
                self.loaded_at.store(SystemClock.now().as_nanos(), Ordering::Release);
            }
        }
    }

    /// Fetches at once, then every `refresh`, sooner when asked, with growing pauses while it fails.
    async fn fetch_forever(self: Arc<Self>, url: String, client: Client, shared: Arc<Shared>) {
        let mut etag: Option<String> = None;
        let mut failures = 0_u32;
        loop {
            let before = self.asked.load(Ordering::Acquire);
            let fetched = self.fetch(&url, &client, &mut etag).await;
            failures = if fetched.is_ok() { 0 } else { failures + 1 };
            self.ended(&shared, before, fetched.as_ref().map(|()| ()).map_err(String::as_str));
            let pause = match failures {
                0 => self.refresh,
                n => Duration::from_millis(500 << n.min(7)).min(self.refresh),
            };
            let _asked = tokio::time::timeout(jittered(pause), self.wanted.notified()).await;
        }
    }

    async fn fetch(&self, url: &str, client: &Client, etag: &mut Option<String>) -> Result<(), String> {
        const MAX_BYTES: usize = 1024 * 1024;
        let fetched =
            client.get(url, MAX_BYTES, Duration::from_secs(10), etag.as_deref()).await.map_err(|e| chain(&e))?;
        match fetched {
            Fetched::NotModified if self.keys.load().is_some() => self.confirm(),
            Fetched::NotModified => return Err("the server says not modified, and there is nothing to keep".to_owned()),
            Fetched::Body { bytes, etag: new, .. } => {
                self.accept(&bytes)?;
                *etag = new;
            }
        }
        Ok(())
    }

    /// `asked` is what had been asked for when the attempt began.
    fn ended(&self, shared: &Shared, asked: u64, outcome: Result<(), &str>) {
        shared.observer.refreshed(&self.name, outcome.is_ok());
        if let Err(error) = outcome {
            tracing::warn!(issuer = self.name, "keys could not be refreshed: {error}");
            *self.error.lock() = Some(error.to_owned());
        }
        self.answered.send_replace(asked);
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Up to a tenth less, so that many gateways don't fetch at the same moment.
fn jittered(pause: Duration) -> Duration {
    let random = std::hash::BuildHasher::hash_one(&foldhash::quality::RandomState::default(), Instant::now().elapsed());
    pause.mul_f64(1.0 - 0.1 * f64::from(u16::try_from(random % 1000).unwrap_or(0)) / 1000.0)
}

/// When the file was changed, and how long it is.
fn stamp(path: &std::path::Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
