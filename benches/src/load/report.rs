//! What one run of the generator found out.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::plan::Verdict;

/// The result of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadReport {
    /// Requests answered in the measured time.
    pub requests: u64,
    /// The measured time in seconds.
    pub seconds: f64,
    /// Answers other than the expected one, in the measured time.
    pub wrong: u64,
    /// Answers that were refusals, in the measured time.
    pub denied: u64,
    /// Requests that got no answer at all, the whole run counted.
    pub lost: u64,
    /// CPU time of the server per request, µs.
    pub server_cpu_us: f64,
    /// CPU time of the generator per request, µs; it polls, so this includes its waiting.
    pub generator_cpu_us: f64,
    /// Share of one processor that the server used.
    pub server_busy: f64,
    /// Share of one processor that others used, host included.
    pub foreign_cpu: f64,
    /// Latency of all requests.
    pub latency: Latency,
    /// Latency of the requests that no stall of the generator's own processor overlapped.
    pub latency_clean: Latency,
    /// Gaps of more than a millisecond in which the generator's processor was taken away.
    pub stalls: u64,
}

impl LoadReport {
    /// True when others used so much of a core that the figures do not count.
    pub fn is_noisy(&self) -> bool {
        self.foreign_cpu > MOST_FOREIGN_CPU
    }
}

/// Percentiles in µs, from the scheduled time of sending to the answer.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the requests were at least as fast.
    pub p50_us: f64,
    /// 90 of 100.
    pub p90_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// 999 of 1,000.
    pub p999_us: f64,
}

impl Latency {
    /// From nanoseconds, in any order.
    #[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^53 ns")]
    pub fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let at = |permille: usize| {
            let position = (nanos.len() * permille).div_ceil(1000).saturating_sub(1);
            nanos.get(position).map_or(0.0, |nanos| *nanos as f64 / 1000.0)
        };
        Self { p50_us: at(500), p90_us: at(900), p99_us: at(990), p999_us: at(999) }
    }
}

/// Counts while a run goes on.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) wrong: u64,
    pub(super) denied: u64,
    pub(super) stalls: u64,
    latencies: Vec<u64>,
    clean: Vec<u64>,
    last_turn: Instant,
    last_stall: Option<Instant>,
}

impl Tally {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            requests: 0,
            wrong: 0,
            denied: 0,
            stalls: 0,
            latencies: Vec::with_capacity(1 << 20),
            clean: Vec::with_capacity(1 << 20),
            last_turn: now,
            last_stall: None,
        }
    }

    /// Called once per turn of the loop, which takes microseconds unless the processor was taken away.
    pub(super) fn turn(&mut self, now: Instant) {
        if now.duration_since(self.last_turn) > STALL {
            self.stalls += 1;
            self.last_stall = Some(now);
        }
        self.last_turn = now;
    }

    /// One answer.
    pub(super) fn answer(&mut self, scheduled: Instant, now: Instant, got: Verdict, wanted: Verdict) {
        self.requests += 1;
        self.wrong += u64::from(got != wanted);
        self.denied += u64::from(got == Verdict::Deny);
        let latency = u64::try_from(now.saturating_duration_since(scheduled).as_nanos()).unwrap_or(u64::MAX);
        self.latencies.push(latency);
        if self.last_stall.is_none_or(|stall| stall < scheduled) {
            self.clean.push(latency);
        }
    }

    pub(super) fn latencies(&mut self) -> (Latency, Latency) {
        (Latency::of(std::mem::take(&mut self.latencies)), Latency::of(std::mem::take(&mut self.clean)))
    }
}

/// A round in which others used more of a core than this does not count.
const MOST_FOREIGN_CPU: f64 = 0.05;
const STALL: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let latency = Latency::of((1..=1000).rev().map(|n| n * 1000).collect());
        assert_eq!((latency.p50_us, latency.p99_us, latency.p999_us), (500.0, 990.0, 999.0));
        assert_eq!(Latency::of(vec![7000]).p999_us, 7.0);
        assert_eq!(Latency::of(Vec::new()).p50_us, 0.0);
    }

    #[test]
    fn what_a_stall_overlaps_is_not_clean() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut tally = Tally::new(start);
        tally.answer(at(0), at(1), Verdict::Allow, Verdict::Allow);
        tally.turn(at(10));
        tally.answer(at(5), at(10), Verdict::Deny, Verdict::Allow);
        tally.answer(at(11), at(12), Verdict::Allow, Verdict::Allow);
        let (all, clean) = tally.latencies();
        assert_eq!((tally.requests, tally.wrong, tally.denied, tally.stalls), (3, 1, 1, 1));
        assert_eq!((all.p999_us, clean.p999_us), (5000.0, 1000.0));
    }
}
