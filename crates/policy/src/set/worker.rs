//! What one thread keeps of a policy set: machines, kept decisions, counters.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use model::{Reason, Timestamp};
use parking_lot::Mutex;
use regorus::Value;

use crate::cache::{DecisionCache, KeyPlan};
use crate::engine::{Failure, Limits, Machine};
use crate::result::Decision;
use crate::set::{PolicyInput, PolicySet, PolicyStats};

thread_local! {
    static WORKERS: RefCell<Vec<Worker>> = const { RefCell::new(Vec::new()) };
}

/// The counters of all threads that evaluated a set. Each thread counts in cells of its own.
#[derive(Default)]
pub(super) struct Registry(Mutex<Vec<Arc<Counters>>>);

#[derive(Default)]
struct Counters {
    evaluations: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    panics: AtomicU64,
    timeouts: AtomicU64,
}

impl Registry {
    /// The sums.
    pub(super) fn stats(&self) -> PolicyStats {
        let counters = self.0.lock();
        let sum = |pick: fn(&Counters) -> &AtomicU64| counters.iter().map(|c| pick(c).load(Ordering::Relaxed)).sum();
        PolicyStats {
            evaluations: sum(|c| &c.evaluations),
            cache_hits: sum(|c| &c.cache_hits),
            cache_misses: sum(|c| &c.cache_misses),
            panics: sum(|c| &c.panics),
            timeouts: sum(|c| &c.timeouts),
        }
    }
}

/// One thread's share of one policy set.
pub(super) struct Worker {
    set: u64,
    /// Gone when the set is: then so is this.
    alive: Weak<Registry>,
    machines: HashMap<usize, Machine>,
    key_plans: HashMap<usize, KeyPlan>,
    cache: DecisionCache,
    key: Vec<u8>,
    counters: Arc<Counters>,
}

/// A key was written to the worker's buffer.
#[derive(Clone, Copy)]
pub(super) struct KeyWritten;

/// Lends this thread's share of `set`.
pub(super) fn with<R>(set: &PolicySet, use_worker: impl FnOnce(&mut Worker) -> R) -> R {
    // Taken out while it is used, so that nothing is borrowed while a policy runs.
    let found = WORKERS.with_borrow_mut(|workers| {
        let position = workers.iter().position(|w| w.set == set.id)?;
        Some(workers.swap_remove(position))
    });
    let mut worker = found.unwrap_or_else(|| Worker::new(set));
    let result = use_worker(&mut worker);
    WORKERS.with_borrow_mut(|workers| workers.push(worker));
    result
}

impl Worker {
    /// A new share. A set that this thread sees for the first time is the moment to drop what belongs to sets that
    /// are gone.
    fn new(set: &PolicySet) -> Self {
        WORKERS.with_borrow_mut(|workers| workers.retain(|w| w.alive.strong_count() > 0));
        let counters = Arc::new(Counters::default());
        set.registry.0.lock().push(Arc::clone(&counters));
        Self {
            set: set.id,
            alive: Arc::downgrade(&set.registry),
            machines: HashMap::new(),
            key_plans: HashMap::new(),
            cache: DecisionCache::default(),
            key: Vec::new(),
            counters,
        }
    }

    /// Writes the key of a decision, when decisions of this entry point may be kept.
    pub(super) fn key(
        &mut self,
        set: &PolicySet,
        entry: usize,
        input: &PolicyInput<'_, '_>,
        document: &Value,
    ) -> Option<KeyWritten> {
        set.cache?;
        let paths = set.entries.get(entry)?.cache_paths.as_ref()?;
        let plan = self.key_plans.entry(entry).or_insert_with(|| KeyPlan::new(paths));
        plan.write(&mut self.key, entry, input, document).then_some(KeyWritten)
    }

    /// A kept decision.
    pub(super) fn find(&mut self, set: &PolicySet, key: Option<KeyWritten>, now: Timestamp) -> Option<Decision> {
        let (Some(KeyWritten), Some(limits)) = (key, set.cache) else { return None };
        let found = self.cache.find(&self.key, now, limits);
        let counter = if found.is_some() { &self.counters.cache_hits } else { &self.counters.cache_misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps a decision, unless chance had a part in it.
    pub(super) fn keep(&mut self, set: &PolicySet, key: Option<KeyWritten>, decision: &Decision, now: Timestamp) {
        let (Some(KeyWritten), Some(limits)) = (key, set.cache) else { return };
        let by_chance = match decision {
            Decision::Allow(..) => false,
            Decision::Deny(denial) => !matches!(
                denial.reason,
                Reason::PolicyDenied | Reason::StepUpRequired | Reason::PolicyUndefined | Reason::PolicyFailed
            ),
        };
        if !by_chance {
            self.cache.keep(&self.key, decision, now, limits);
        }
    }

    /// Evaluates an entry point. A machine that panicked or ran into a limit is thrown away.
    pub(super) fn run(
        &mut self,
        set: &PolicySet,
        entry: usize,
        document: Value,
        limits: Limits,
    ) -> Result<Value, Failure> {
        let machine = match self.machines.remove(&entry) {
            Some(machine) => Ok(machine),
            None => match set.entries.get(entry) {
                Some(point) => Machine::new(&point.compiled),
                None => Err(Failure::Error("no such entry point".to_owned())),
            },
        };
        let mut machine = machine?;
        self.counters.evaluations.fetch_add(1, Ordering::Relaxed);
        let result = machine.run(document, limits);
        match &result {
            Ok(_) | Err(Failure::Error(_) | Failure::TooLate) => {
                self.machines.insert(entry, machine);
            }
            Err(Failure::Panic) => {
                self.counters.panics.fetch_add(1, Ordering::Relaxed);
            }
            Err(Failure::Limit(_)) => {
                self.counters.timeouts.fetch_add(1, Ordering::Relaxed);
            }
        }
        result
    }
}
