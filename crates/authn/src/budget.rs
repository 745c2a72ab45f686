//! How many failed verifications a source may cause: bad signatures must not buy unlimited work.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use model::Timestamp;
use parking_lot::Mutex;

/// The most sources that are told apart; beyond them, new ones share one budget.
const MOST_SOURCES: usize = 65_536;

/// Failures by source, in windows of a fixed length.
pub(crate) struct FailureBudget {
    most: AtomicU32,
    period_nanos: AtomicU64,
    sources: Mutex<HashMap<Option<IpAddr>, Failures, foldhash::quality::RandomState>>,
}

#[derive(Clone, Copy)]
struct Failures {
    since: Timestamp,
    count: u32,
}

impl FailureBudget {
    pub(crate) fn new() -> Self {
        Self { most: AtomicU32::new(u32::MAX), period_nanos: AtomicU64::new(1), sources: Mutex::default() }
    }

    pub(crate) fn resize(&self, most: u32, period: Duration) {
        self.most.store(most.max(1), Ordering::Relaxed);
        self.period_nanos.store(u64::try_from(period.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn period(&self) -> Duration {
        Duration::from_nanos(self.period_nanos.load(Ordering::Relaxed))
    }

    /// IPv6 sources count by their /64, which is what one subscriber has.
    fn source(address: Option<IpAddr>) -> Option<IpAddr> {
        address.map(|ip| match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        })
    }

    /// How long the source has to wait, when it has nothing left.
    pub(crate) fn spent(&self, address: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let sources = self.sources.lock();
        let failures = sources
            .get(&Self::source(address))
            .or_else(|| if sources.len() >= MOST_SOURCES { sources.get(&None) } else { None })?;
        let passed = now.saturating_since(failures.since);
        let spent = failures.count >= self.most.load(Ordering::Relaxed) && passed < self.period();
        spent.then(|| self.period().saturating_sub(passed))
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: Option<IpAddr>, now: Timestamp) {
        let period = self.period();
        let mut sources = self.sources.lock();
        let mut source = Self::source(address);
        if sources.len() >= MOST_SOURCES && !sources.contains_key(&source) {
            sources.retain(|_, f| now.saturating_since(f.since) < period);
            if sources.len() >= MOST_SOURCES {
                source = None;
            }
        }
        let failures = sources.entry(source).or_insert(Failures { since: now, count: 0 });
        if now.saturating_since(failures.since) >= period {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }
}
