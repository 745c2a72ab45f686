//! When to send.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::random::Random;

/// How fast to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as the server answers: every stream always has a request under way.
    Saturated,
    /// Requests per second on average, at random times that do not depend on the answers (open loop).
    Rate(f64),
}

/// The requests that are due, with the times they were due at.
#[derive(Debug)]
pub(super) struct Schedule {
    rate: Option<f64>,
    next: Instant,
    random: Random,
    due: VecDeque<Instant>,
}

impl Schedule {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        let rate = match pace {
            Pace::Saturated => None,
            Pace::Rate(rate) => Some(rate),
        };
        Self { rate, next: now, random: Random::new(1), due: VecDeque::new() }
    }

    /// Notes what has become due.
    pub(super) fn advance(&mut self, now: Instant) -> anyhow::Result<()> {
        let Some(rate) = self.rate else { return Ok(()) };
        while self.next <= now {
            self.due.push_back(self.next);
            // Exponential gaps: independent users.
            let gap = -(1.0 - self.random.unit()).ln() / rate;
            self.next += Duration::try_from_secs_f64(gap).unwrap_or(Duration::from_secs(1));
        }
        if self.due.len() > MAX_BACKLOG {
            bail!("the server cannot keep up: {MAX_BACKLOG} requests are waiting to be sent");
        }
        Ok(())
    }

    /// Takes the next request to send; its latency counts from the returned time.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        match self.rate {
            None => Some(now),
            Some(_) => self.due.pop_front(),
        }
    }
}

const MAX_BACKLOG: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_keeps_its_rate_and_its_times() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Pace::Rate(1000.0), start);
        let end = start + Duration::from_secs(10);
        schedule.advance(end).unwrap();
        let times: Vec<_> = std::iter::from_fn(|| schedule.take(end)).collect();
        assert!((9_500..10_500).contains(&times.len()), "{}", times.len());
        assert!(times.is_sorted());
        assert_eq!(times[0], start);
    }
}
