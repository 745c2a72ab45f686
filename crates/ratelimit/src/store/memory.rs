//! Counters in memory: sharded, bounded, exact.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use model::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::{Store, StoreError};
use crate::algorithm::Cell;
use crate::config::AlgorithmConfig;
use crate::limit::{Charge, Charging, Limit, LimitStatus};

const SHARDS: usize = 64;

/// How many places an insertion into a full shard looks at for one that no longer counts.
const LOOKED_AT: usize = 32;

/// Counters in memory. Whole keys are compared, so that no two share a counter.
pub struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
    hasher: RandomState,
    keys: AtomicU64,
}

#[derive(Default)]
struct Shard {
    table: HashTable<Counter>,
    /// Where the search for a counter that no longer counts goes on.
    hand: usize,
}

struct Counter {
    limit: [u64; 2],
    key: Box<[u8]>,
    cell: Cell,
    /// What the cell's age is judged by.
    period: i128,
    scale: i128,
    bucket: bool,
}

impl MemoryStore {
    /// A store of at most `max_keys` counters (rounded up to a multiple of the shards).
    pub fn new(max_keys: u64) -> Self {
        let per_shard = usize::try_from(max_keys).unwrap_or(usize::MAX).div_ceil(SHARDS).max(1);
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            per_shard,
            hasher: RandomState::default(),
            keys: AtomicU64::new(0),
        }
    }

    fn hash(&self, limit: [u64; 2], key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        limit.hash(&mut hasher);
        key.hash(&mut hasher);
        hasher.finish()
    }

    /// Locks every shard that the charges touch, in order, so that two requests can never wait for each other.
    fn lock(&self, hashes: &[u64]) -> SmallVec<[(usize, MutexGuard<'_, Shard>); 4]> {
        let mut wanted: SmallVec<[usize; 4]> = hashes.iter().map(|h| shard_of(*h)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.into_iter().filter_map(|i| Some((i, self.shards.get(i)?.lock()))).collect()
    }

    /// True when the charge's counter exists or there is room for it.
    fn has_room(&self, shard: &mut Shard, hash: u64, charge: &Charge<'_>, now: Timestamp) -> bool {
        shard.table.len() < self.per_shard || shard.find(hash, charge).is_some() || self.make_room(shard, now)
    }

    fn place(&self, shard: &mut Shard, hash: u64, charge: &Charge<'_>, cell: Cell) {
        let entry = shard.table.entry(hash, |c| c.is(charge), |c| self.hash(c.limit, &c.key));
        match entry {
            Entry::Occupied(mut entry) => entry.get_mut().cell = cell,
            Entry::Vacant(entry) => {
                entry.insert(Counter::new(charge, cell));
                self.keys.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Forgets counters that are as if unused; true when at least one was found.
    fn make_room(&self, shard: &mut Shard, now: Timestamp) -> bool {
        let buckets = shard.table.num_buckets().max(1);
        let mut freed = 0;
        // A full turn at most, and usually only a few steps.
        for step in 0..buckets {
            let index = (shard.hand + step) % buckets;
            let spent =
                shard.table.get_bucket(index).is_some_and(|c| c.cell.is_spent(c.period, c.scale, c.bucket, now));
            if spent && let Ok(entry) = shard.table.get_bucket_entry(index) {
                entry.remove();
                freed += 1;
            }
            if step >= LOOKED_AT && (freed > 0 || step >= LOOKED_AT * LOOKED_AT) {
                shard.hand = index;
                break;
            }
        }
        self.keys.fetch_sub(freed, Ordering::Relaxed);
        freed > 0
    }
}

const fn shard_of(hash: u64) -> usize {
    // The table uses the low bits and the top seven.
    (hash >> 40) as usize % SHARDS
}

/// The locked shard of a hash.
fn of<'s>(shards: &'s mut [(usize, MutexGuard<'_, Shard>)], hash: u64) -> Option<&'s mut Shard> {
    let wanted = shard_of(hash);
    shards.iter_mut().find(|(i, _)| *i == wanted).map(|(_, shard)| &mut **shard)
}

impl Shard {
    fn find(&self, hash: u64, charge: &Charge<'_>) -> Option<Cell> {
        self.table.find(hash, |c| c.is(charge)).map(|c| c.cell)
    }
}

impl Counter {
    fn new(charge: &Charge<'_>, cell: Cell) -> Self {
        let limit: &Limit = charge.limit;
        Self {
            limit: limit.id(),
            key: charge.key.into(),
            cell,
            period: i128::try_from(limit.rate().period.as_nanos()).unwrap_or(i128::MAX),
            scale: i128::from(limit.rate().requests),
            bucket: limit.algorithm() == AlgorithmConfig::TokenBucket,
        }
    }

    fn is(&self, charge: &Charge<'_>) -> bool {
        self.limit == charge.limit.id() && *self.key == *charge.key
    }
}

impl Store for MemoryStore {
    fn charge(
        &self,
        charges: &[Charge<'_>],
        charging: Charging,
        now: Timestamp,
    ) -> Result<SmallVec<[LimitStatus; 4]>, StoreError> {
        let hashes: SmallVec<[u64; 4]> = charges.iter().map(|c| self.hash(c.limit.id(), c.key)).collect();
        let mut shards = self.lock(&hashes);
        let mut statuses = SmallVec::new();
        let mut pending: SmallVec<[(u64, &Charge<'_>, Cell); 4]> = SmallVec::new();
        for (charge, hash) in charges.iter().zip(&hashes) {
            let Some(shard) = of(&mut shards, *hash) else { return Err(StoreError::Full) };
            // The same counter twice in one request: the second charge sees the first.
            let earlier =
                pending.iter().find(|(h, c, _)| h == hash && c.limit.id() == charge.limit.id() && c.key == charge.key);
            let known = earlier.map(|(_, _, cell)| *cell).or_else(|| shard.find(*hash, charge));
            let cell = known.unwrap_or_else(|| Cell::fresh(charge.limit, now));
            let outcome = cell.try_hits(charge.limit, charge.hits, now);
            statuses.push(outcome.status);
            let counts = charge.hits > 0 && (charging == Charging::Each || !outcome.status.over);
            if counts {
                pending.retain(|(h, c, _)| !(h == hash && c.limit.id() == charge.limit.id() && c.key == charge.key));
                pending.push((*hash, charge, outcome.charged));
            }
        }
        let refused = charging == Charging::AllOrNone && statuses.iter().any(|s: &LimitStatus| s.over);
        if refused {
            return Ok(statuses);
        }
        // Room for all before any is counted: a full store counts nothing.
        for (hash, charge, _) in &pending {
            if !of(&mut shards, *hash).is_some_and(|shard| self.has_room(shard, *hash, charge, now)) {
                return Err(StoreError::Full);
            }
        }
        for (hash, charge, cell) in pending {
            if let Some(shard) = of(&mut shards, hash) {
                self.place(shard, hash, charge, cell);
            }
        }
        Ok(statuses)
    }

    fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::*;
    use crate::rate::Rate;

    fn limit(name: &str, rate: &str) -> Limit {
        Limit::new(name, rate.parse::<Rate>().unwrap(), AlgorithmConfig::FixedWindow, None)
    }

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    #[test]
    fn all_or_none_charges_nothing_when_one_is_over() {
        let store = MemoryStore::new(100);
        let (small, large) = (limit("small", "1/hour"), limit("large", "10/hour"));
        let charges = [Charge { limit: &large, key: b"k", hits: 1 }, Charge { limit: &small, key: b"k", hits: 1 }];
        assert!(store.charge(&charges, Charging::AllOrNone, NOW).unwrap().iter().all(|s| !s.over));
        for _ in 0..5 {
            let statuses = store.charge(&charges, Charging::AllOrNone, NOW).unwrap();
            assert_eq!(statuses.iter().map(|s| s.over).collect::<Vec<_>>(), [false, true]);
        }
        let peek = [Charge { limit: &large, key: b"k", hits: 0 }];
        assert_eq!(store.charge(&peek, Charging::Each, NOW).unwrap()[0].remaining, 9);
    }

    #[test]
    fn each_counts_what_is_over_too() {
        let store = MemoryStore::new(100);
        let (small, large) = (limit("small", "1/hour"), limit("large", "10/hour"));
        let charges = [Charge { limit: &large, key: b"k", hits: 1 }, Charge { limit: &small, key: b"k", hits: 1 }];
        for _ in 0..5 {
            store.charge(&charges, Charging::Each, NOW).unwrap();
        }
        let peek = [Charge { limit: &large, key: b"k", hits: 0 }];
        assert_eq!(store.charge(&peek, Charging::Each, NOW).unwrap()[0].remaining, 5);
    }

    #[test]
    fn the_same_counter_twice_in_one_request_counts_twice() {
        let store = MemoryStore::new(100);
        let limit = limit("twice", "1/hour");
        let charge = Charge { limit: &limit, key: b"k", hits: 1 };
        let statuses = store.charge(&[charge, charge], Charging::AllOrNone, NOW).unwrap();
        assert_eq!(statuses.iter().map(|s| s.over).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_full_store_forgets_what_no_longer_counts_and_refuses_otherwise() {
        let store = MemoryStore::new(64 * 64);
        let limit = limit("l", "1/minute");
        let hit = |i: u32, now: Timestamp| {
            store.charge(&[Charge { limit: &limit, key: &i.to_be_bytes(), hits: 1 }], Charging::AllOrNone, now)
        };
        let refused = (0..10_000).filter(|i| hit(*i, NOW) == Err(StoreError::Full)).count();
        assert!(refused > 5_000, "{refused}");
        assert!(store.keys() <= 4096);
        let first = (0..10_000).find(|i| hit(*i, NOW).is_ok_and(|s| s[0].over));
        assert!(first.is_some(), "counters that still count are kept");
        let later = NOW.saturating_add(Duration::from_secs(120));
        assert!((20_000..21_000).all(|i| hit(i, later).is_ok()), "what expired makes room");
        assert!(store.keys() <= 4096);
    }

    #[test]
    fn a_hundred_thousand_keys_have_their_own_counters() {
        let store = MemoryStore::new(200_000);
        let limit = limit("l", "1/day");
        for over in [false, true] {
            for i in 0_u32..100_000 {
                let statuses = store
                    .charge(&[Charge { limit: &limit, key: &i.to_be_bytes(), hits: 1 }], Charging::AllOrNone, NOW)
                    .unwrap();
                assert_eq!(statuses[0].over, over);
            }
        }
        assert_eq!(store.keys(), 100_000);
    }

    #[test]
    fn threads_never_admit_more_than_the_limit() {
        let store = Arc::new(MemoryStore::new(1000));
        let (a, b) = (limit("a", "500/day"), limit("b", "700/day"));
        let passed = Arc::new(AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (store, passed, a, b) = (Arc::clone(&store), Arc::clone(&passed), &a, &b);
                scope.spawn(move || {
                    for _ in 0..1000 {
                        // Half of the threads name the limits in the other order.
                        let mut charges =
                            [Charge { limit: a, key: b"k", hits: 1 }, Charge { limit: b, key: b"k", hits: 1 }];
                        if thread % 2 == 0 {
                            charges.reverse();
                        }
                        if store.charge(&charges, Charging::AllOrNone, NOW).unwrap().iter().all(|s| !s.over) {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.load(Ordering::Relaxed), 500);
        let peek = store.charge(&[Charge { limit: &b, key: b"k", hits: 0 }], Charging::Each, NOW).unwrap();
        assert_eq!(peek[0].remaining, 200, "what was refused drained nothing");
    }
}
