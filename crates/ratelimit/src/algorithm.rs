//! Token bucket (as GCRA) and fixed window, in whole nanoseconds: exact, without drift.

use std::time::Duration;

use model::Timestamp;

use crate::config::AlgorithmConfig;
use crate::limit::{Limit, LimitStatus};

/// The state of one counter. What the two numbers mean is the algorithm's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    /// Token bucket: the theoretical arrival time in nanoseconds since the epoch, times the requests of the rate.
    /// Fixed window: the start of the window.
    at: i128,
    /// Fixed window: hits so far.
    count: u64,
}

/// What would become of a cell, and what to say.
pub(crate) struct Outcome {
    pub(crate) status: LimitStatus,
    /// The cell when the hits are counted.
    pub(crate) charged: Cell,
}

impl Cell {
    /// A counter nobody has used.
    pub(crate) fn fresh(limit: &Limit, now: Timestamp) -> Self {
        match limit.algorithm() {
            AlgorithmConfig::TokenBucket => Self { at: scaled(limit, now), count: 0 },
            AlgorithmConfig::FixedWindow => Self { at: window_start(limit, now), count: 0 },
        }
    }

    /// True when the counter is as if unused, so that forgetting it changes nothing.
    pub(crate) fn is_spent(&self, limit_period: i128, scale: i128, bucket: bool, now: Timestamp) -> bool {
        let now = i128::from(now.as_nanos());
        if bucket { self.at <= now * scale } else { self.at + limit_period <= now }
    }

    /// Looks at what `hits` would do; changes nothing.
    pub(crate) fn try_hits(&self, limit: &Limit, hits: u64, now: Timestamp) -> Outcome {
        match limit.algorithm() {
            AlgorithmConfig::TokenBucket => self.bucket(limit, hits, now),
            AlgorithmConfig::FixedWindow => self.window(limit, hits, now),
        }
    }

    /// Generic cell rate algorithm. All times are multiplied by the requests of the rate, so that one request is exactly one period
    /// and nothing is rounded.
    fn bucket(&self, limit: &Limit, hits: u64, now: Timestamp) -> Outcome {
        let period = nanos(limit.rate().period);
        let capacity = period * i128::from(limit.burst());
        let now = scaled(limit, now);
        // A clock that went back must not lock anybody out for longer than a full bucket takes to refill.
        let at = self.at.clamp(now, now + capacity);
        let wanted = at + period * i128::from(hits);
        let over = wanted - now > capacity;
        let after = if over { at } else { wanted };
        let scale = i128::from(limit.rate().requests);
        let remaining = u64::try_from((capacity - (after - now)) / period.max(1)).unwrap_or(0);
        let never = i128::from(hits) > i128::from(limit.burst());
        let retry = if over && !never {
            wanted - capacity - now
        } else if over {
            capacity
        } else {
            0
        };
        Outcome {
            status: LimitStatus {
                over,
                limit: limit.burst(),
                remaining,
                reset_after: unscaled(after - now, scale),
                retry_after: unscaled(retry, scale),
            },
            charged: Self { at: wanted.min(now + capacity), count: 0 },
        }
    }

    /// Windows aligned to the epoch (envoyproxy/ratelimit: `now / unit * unit`). A clock that went back stays in the newer window.
    fn window(&self, limit: &Limit, hits: u64, now: Timestamp) -> Outcome {
        let period = nanos(limit.rate().period);
        let current = window_start(limit, now);
        let (start, before) =
            if self.at >= current && self.at <= current + period { (self.at, self.count) } else { (current, 0) };
        let after = before.saturating_add(hits);
        let most = limit.rate().requests;
        let over = after > most;
        let reset = start + period - i128::from(now.as_nanos());
        Outcome {
            status: LimitStatus {
                over,
                limit: most,
                remaining: most.saturating_sub(if over { before } else { after }),
                reset_after: unscaled(reset, 1),
                retry_after: if over { unscaled(reset, 1) } else { Duration::ZERO },
            },
            charged: Self { at: start, count: after },
        }
    }
}

fn nanos(period: Duration) -> i128 {
    i128::try_from(period.as_nanos()).unwrap_or(i128::MAX / (1 << 33))
}

fn scaled(limit: &Limit, now: Timestamp) -> i128 {
    i128::from(now.as_nanos()) * i128::from(limit.rate().requests)
}

/// Back to real time, rounded up, so that nobody is told to come too early.
fn unscaled(nanos: i128, scale: i128) -> Duration {
    let rounded = nanos.max(0).saturating_add(scale - 1) / scale.max(1);
    Duration::from_nanos(u64::try_from(rounded).unwrap_or(u64::MAX))
}

fn window_start(limit: &Limit, now: Timestamp) -> i128 {
    let now = i128::from(now.as_nanos());
    now - now.rem_euclid(nanos(limit.rate().period).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rate::Rate;

    fn limit(rate: &str, algorithm: AlgorithmConfig, burst: Option<u64>) -> Limit {
        Limit::new("test", rate.parse::<Rate>().unwrap(), algorithm, burst)
    }

    /// Charges hits at a time and says whether they passed.
    fn hit(cell: &mut Cell, limit: &Limit, hits: u64, at: Timestamp) -> LimitStatus {
        let outcome = cell.try_hits(limit, hits, at);
        if !outcome.status.over {
            *cell = outcome.charged;
        }
        outcome.status
    }

    fn second(s: i64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + s)
    }

    #[test]
    fn a_bucket_admits_its_burst_then_its_rate() {
        let limit = limit("60/minute", AlgorithmConfig::TokenBucket, Some(5));
        let mut cell = Cell::fresh(&limit, second(0));
        for left in (0..5).rev() {
            let status = hit(&mut cell, &limit, 1, second(0));
            assert!(!status.over);
            assert_eq!(status.remaining, left);
        }
        let status = hit(&mut cell, &limit, 1, second(0));
        assert!(status.over);
        assert_eq!(status.retry_after, Duration::from_secs(1));
        assert!(!hit(&mut cell, &limit, 1, second(1)).over);
        assert!(hit(&mut cell, &limit, 1, second(1)).over);
        assert_eq!(hit(&mut cell, &limit, 0, second(100)).remaining, 5);
    }

    #[test]
    fn a_window_counts_and_starts_anew() {
        let limit = limit("2/minute", AlgorithmConfig::FixedWindow, None);
        let start = Timestamp::from_secs(1_700_000_040 / 60 * 60);
        let mut cell = Cell::fresh(&limit, start);
        assert_eq!(hit(&mut cell, &limit, 1, start).remaining, 1);
        assert_eq!(hit(&mut cell, &limit, 1, start).remaining, 0);
        let status = hit(&mut cell, &limit, 1, start.saturating_add(Duration::from_secs(20)));
        assert!(status.over);
        assert_eq!((status.remaining, status.retry_after), (0, Duration::from_secs(40)));
        assert!(!hit(&mut cell, &limit, 1, start.saturating_add(Duration::from_secs(60))).over);
    }

    #[test]
    fn a_clock_that_jumps_neither_grants_nor_locks_out() {
        for algorithm in [AlgorithmConfig::TokenBucket, AlgorithmConfig::FixedWindow] {
            let limit = limit("2/minute", algorithm, None);
            let mut cell = Cell::fresh(&limit, second(0));
            assert!(!hit(&mut cell, &limit, 2, second(0)).over);
            assert!(hit(&mut cell, &limit, 1, second(-1)).over, "{algorithm:?} granted when the clock went back");
            assert!(
                !hit(&mut cell, &limit, 1, second(-86_400 + 240)).over || algorithm == AlgorithmConfig::TokenBucket
            );
            let status = cell.try_hits(&limit, 1, second(-86_400)).status;
            assert!(
                status.reset_after <= Duration::from_secs(120),
                "{algorithm:?} is locked for {:?}",
                status.reset_after
            );
        }
    }

    #[test]
    fn huge_hits_do_not_overflow() {
        for algorithm in [AlgorithmConfig::TokenBucket, AlgorithmConfig::FixedWindow] {
            let limit = limit("4294967295/week", algorithm, None);
            let cell = Cell::fresh(&limit, second(0));
            assert!(cell.try_hits(&limit, u64::MAX, second(0)).status.over);
        }
    }

    proptest! {
        /// Over any span, a bucket admits at most its burst plus what its rate gives in that span.
        #[test]
        fn a_bucket_never_admits_more_than_it_holds(gaps in proptest::collection::vec(0_u64..3_000, 1..200), burst in 1_u64..20, requests in 1_u64..50) {
            let limit = Limit::new("t", Rate { requests, period: Duration::from_secs(10) }, AlgorithmConfig::TokenBucket, Some(burst));
            let mut now = second(0);
            let mut cell = Cell::fresh(&limit, now);
            let (mut passed, mut elapsed) = (0_u64, 0_u64);
            for gap in gaps {
                elapsed += gap;
                now = now.saturating_add(Duration::from_millis(gap));
                if !hit(&mut cell, &limit, 1, now).over {
                    passed += 1;
                }
                prop_assert!(passed <= burst + elapsed * requests / 10_000 + 1 - u64::from(elapsed * requests % 10_000 == 0 || elapsed == 0));
            }
        }

        /// Who waits as long as he is told is admitted, and not a nanosecond earlier.
        #[test]
        fn retry_after_is_exact(requests in 1_u64..1_000, burst in 1_u64..10) {
            let limit = Limit::new("t", Rate { requests, period: Duration::from_secs(7) }, AlgorithmConfig::TokenBucket, Some(burst));
            let mut cell = Cell::fresh(&limit, second(0));
            hit(&mut cell, &limit, burst, second(0));
            let status = hit(&mut cell, &limit, 1, second(0));
            prop_assert!(status.over);
            let early = second(0).saturating_add(status.retry_after.saturating_sub(Duration::from_nanos(1)));
            prop_assert!(cell.try_hits(&limit, 1, early).status.over);
            prop_assert!(!cell.try_hits(&limit, 1, second(0).saturating_add(status.retry_after)).status.over);
        }
    }
}
