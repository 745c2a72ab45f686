//! The keys of one issuer, and how requests reach them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use crypto::jose::parse_jwks;
use model::{Clock, SystemClock, Timestamp};
use net::Client;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::set::KeySet;
use super::{KeySource, KeyStatus, Shared, Times, refresh};

/// The longest that a request waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most requests that wait for a fetch at a time; a flood of unknown keys must not fill the server with waiting requests.
const MOST_WAITING: usize = 64;
/// `loaded_at` of keys that do not age.
const FOR_EVER: i64 = i64::MAX;

/// Keys with the task that keeps them fresh. The task ends with the cell.
pub(crate) struct Cell {
    state: Arc<State>,
    task: Option<AbortHandle>,
}

/// What the task and the requests share.
pub(super) struct State {
    pub(super) name: String,
    pub(super) times: Times,
    /// Wakes the task.
    pub(super) wanted: Notify,
    keys: ArcSwapOption<KeySet>,
    /// Nanoseconds since the epoch; 0 before the first success.
    loaded_at: AtomicI64,
    error: Mutex<Option<String>>,
    /// Counts fetches that requests asked for.
    asked: AtomicU64,
    /// The newest of them that was answered by a fetch that began after it.
    answered: watch::Sender<u64>,
    /// When a request last asked.
    last_asked: Mutex<Option<Instant>>,
    waiting: AtomicUsize,
}

impl Drop for Cell {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Cell {
    /// A cell whose keys are on their way.
    ///
    /// # Errors
    /// A file that is no key set.
    pub(super) fn start(
        name: &str,
        times: Times,
        source: KeySource,
        client: &Client,
        handle: &Handle,
        shared: &Arc<Shared>,
    ) -> Result<Arc<Self>, String> {
        let state = Arc::new(State::new(name, times));
        let task = match source {
            KeySource::Fixed(key) => {
                state.keys.store(Some(Arc::new(KeySet::fixed(key))));
                state.loaded_at.store(FOR_EVER, Ordering::Release);
                None
            }
            KeySource::File(path) => {
                let seen = refresh::first_read(&state, &path)?;
                Some(handle.spawn(refresh::watch_file(Arc::clone(&state), path, seen, Arc::clone(shared))))
            }
            KeySource::Url(url, plaintext) => {
                let fetching = refresh::Fetching { url, plaintext, client: client.clone() };
                Some(handle.spawn(refresh::fetch_for_ever(Arc::clone(&state), fetching, Arc::clone(shared))))
            }
        };
        Ok(Arc::new(Self { state, task: task.map(|task| task.abort_handle()) }))
    }

    /// Reads the keys, unless there are none or they are too old.
    pub(crate) fn usable<T>(&self, now: Timestamp, read: impl FnOnce(&KeySet) -> T) -> Option<T> {
        let loaded = self.state.loaded_at.load(Ordering::Acquire);
        let end = Timestamp::from_nanos(loaded).saturating_add(self.state.times.max_staleness);
        if loaded != FOR_EVER && now > end {
            return None;
        }
        self.state.keys.load().as_deref().map(read)
    }

    /// Asks for a fetch now, unless one was asked for too recently, and waits for its end; joins one that was asked for and is under
    /// way. Afterwards the caller looks at the keys again.
    pub(crate) async fn refreshed(&self, deadline: Option<Instant>) {
        let state = &*self.state;
        let mut answered = state.answered.subscribe();
        let asked = state.ask();
        let left = deadline.map_or(PATIENCE, |d| d.saturating_duration_since(Instant::now()).min(PATIENCE));
        let Some(_place) = Waiting::enter(&state.waiting) else { return };
        let _in_time = tokio::time::timeout(left, answered.wait_for(|done| *done >= asked)).await;
    }

    /// How the keys are.
    pub(crate) fn status(&self) -> KeyStatus {
        let state = &*self.state;
        let loaded = state.loaded_at.load(Ordering::Acquire);
        let ages = loaded != 0 && loaded != FOR_EVER;
        let loaded_at = match loaded {
            0 => None,
            FOR_EVER => Some(SystemClock.now()),
            at => Some(Timestamp::from_nanos(at)),
        };
        KeyStatus {
            issuer: state.name.clone(),
            loaded_at,
            last_error: state.error.lock().clone(),
            stale_at: loaded_at.filter(|_| ages).map(|at| at.saturating_add(state.times.max_staleness)),
        }
    }
}

impl State {
    fn new(name: &str, times: Times) -> Self {
        Self {
            name: name.to_owned(),
            times,
            wanted: Notify::new(),
            keys: ArcSwapOption::empty(),
            loaded_at: AtomicI64::new(0),
            error: Mutex::new(None),
            asked: AtomicU64::new(0),
            answered: watch::Sender::new(0),
            last_asked: Mutex::new(None),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Wakes the task when it is time again. The number of the fetch that the caller may wait for.
    fn ask(&self) -> u64 {
        let mut last = self.last_asked.lock();
        if last.is_none_or(|at| at.elapsed() >= self.times.min_interval) {
            *last = Some(Instant::now());
            self.asked.fetch_add(1, Ordering::AcqRel);
            self.wanted.notify_one();
        }
        self.asked.load(Ordering::Acquire)
    }

    /// The newest fetch that was asked for.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    /// True once there are keys.
    pub(super) fn is_loaded(&self) -> bool {
        self.keys.load().is_some()
    }

    /// True when the last attempt failed.
    pub(super) fn has_failed(&self) -> bool {
        self.error.lock().is_some()
    }

    /// Takes a key set into use. Keys that it does not have are gone from this moment on, cached tokens included.
    pub(super) fn accept(&self, json: &[u8]) -> Result<(), String> {
        let jwks = parse_jwks(json).map_err(|e| e.to_string())?;
        let before = self.keys.load_full();
        let set = KeySet::following(before.as_deref(), jwks);
        if before.as_deref().is_none_or(|b| b.skipped() != set.skipped()) {
            for why in set.skipped() {
                tracing::warn!(issuer = self.name, why, "a key of the issuer is left out");
            }
        }
        if set.is_empty() && before.as_deref().is_none_or(|b| !b.is_empty()) {
            tracing::warn!(issuer = self.name, "the issuer publishes no keys: none of its tokens is accepted");
        }
        self.keys.store(Some(Arc::new(set)));
        self.confirm();
        Ok(())
    }

    /// The keys in use are the issuer's, as of now.
    pub(super) fn confirm(&self) {
        self.loaded_at.store(SystemClock.now().as_nanos(), Ordering::Release);
        *self.error.lock() = None;
    }

    /// An attempt came to its end. `asked` is what had been asked for when it began.
    pub(super) fn ended(&self, shared: &Shared, asked: u64, outcome: &Result<(), String>) {
        shared.observer.refreshed(&self.name, outcome.is_ok());
        if let Err(error) = outcome {
            tracing::warn!(issuer = self.name, error, "keys could not be refreshed");
            *self.error.lock() = Some(error.clone());
        }
        self.answered.send_replace(asked);
    }
}

/// One of the places for waiting requests.
struct Waiting<'c>(&'c AtomicUsize);

impl<'c> Waiting<'c> {
    fn enter(count: &'c AtomicUsize) -> Option<Self> {
        let entered =
            count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < MOST_WAITING).then_some(n + 1)).is_ok();
        entered.then_some(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
