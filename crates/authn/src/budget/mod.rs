//! How many failed verifications a source may cause: bad signatures must not buy unlimited work.
//!
//! Sources are counted in a table of fixed size. Where it is full, the source with the fewest failures makes room: whoever spreads over
//! many addresses is stopped by the budget of all sources together, and nobody else's count is touched by it.

#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::RandomState;
use model::Timestamp;
use parking_lot::{Mutex, RwLock};

const BUCKETS: usize = 2048;
const SLOTS: usize = 8;

/// Failures by source, in windows of a fixed length.
pub(crate) struct FailureBudget {
    limits: RwLock<Limits>,
    all: Mutex<Window>,
    buckets: Vec<Mutex<[Slot; SLOTS]>>,
    /// Keyed anew in every process: nobody outside knows which addresses share a bucket.
    hasher: RandomState,
}

#[derive(Clone, Copy)]
struct Limits {
    each: u32,
    total: u32,
    period: Duration,
}

#[derive(Clone, Copy, Default)]
struct Window {
    since: Timestamp,
    count: u32,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    source: u128,
    window: Window,
}

impl FailureBudget {
    /// A budget without an end.
    pub(crate) fn new() -> Self {
        Self {
            limits: RwLock::new(Limits { each: u32::MAX, total: u32::MAX, period: Duration::from_secs(60) }),
            all: Mutex::default(),
            buckets: (0..BUCKETS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// From now on `each` failures for a source and `total` for all together, in `period`.
    pub(crate) fn resize(&self, each: u32, total: u32, period: Duration) {
        *self.limits.write() = Limits { each, total, period };
    }

    /// How long the source has to wait, when it, or all together, have nothing left.
    pub(crate) fn spent(&self, address: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let limits = *self.limits.read();
        if let Some(wait) = self.all.lock().spent(limits.total, limits.period, now) {
            return Some(wait);
        }
        let source = source(address);
        let slots = self.bucket(source)?.lock();
        let slot = slots.iter().find(|slot| slot.is(source))?;
        slot.window.spent(limits.each, limits.period, now)
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: Option<IpAddr>, now: Timestamp) {
        let period = self.limits.read().period;
        self.all.lock().add(period, now);
        let source = source(address);
        let Some(bucket) = self.bucket(source) else { return };
        let mut slots = bucket.lock();
        let same = slots.iter().position(|slot| slot.is(source));
        let place = same.or_else(|| {
            let weight =
                |(_, slot): &(usize, &Slot)| if slot.window.is_over(period, now) { 0 } else { slot.window.count };
            slots.iter().enumerate().min_by_key(weight).map(|(place, _)| place)
        });
        let Some(slot) = place.and_then(|place| slots.get_mut(place)) else { return };
        if same.is_none() {
            *slot = Slot { source, window: Window { since: now, count: 0 } };
        }
        slot.window.add(period, now);
    }

    fn bucket(&self, source: u128) -> Option<&Mutex<[Slot; SLOTS]>> {
        self.buckets.get(self.hasher.hash_one(source) as usize % BUCKETS)
    }
}

impl Slot {
    /// Free slots belong to nobody, not to the source of number 0.
    const fn is(&self, source: u128) -> bool {
        self.source == source && self.window.count > 0
    }
}

impl Window {
    fn is_over(self, period: Duration, now: Timestamp) -> bool {
        now.saturating_since(self.since) >= period
    }

    fn spent(self, most: u32, period: Duration, now: Timestamp) -> Option<Duration> {
        let spent = self.count >= most && !self.is_over(period, now);
        spent.then(|| period.saturating_sub(now.saturating_since(self.since)))
    }

    fn add(&mut self, period: Duration, now: Timestamp) {
        if self.count == 0 || self.is_over(period, now) {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }
}

/// The number of a source. IPv6 sources count by their /64, which is what one subscriber has; requests without an address are one.
fn source(address: Option<IpAddr>) -> u128 {
    match address.map(|ip| ip.to_canonical()) {
        None => 0,
        Some(IpAddr::V4(v4)) => u128::from(v4.to_ipv6_mapped()),
        Some(IpAddr::V6(v6)) => u128::from(v6) & !u128::from(u64::MAX),
    }
}
