//! A limit, and what it means to charge it.

use std::time::Duration;

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

use crate::config::AlgorithmConfig;
use crate::rate::Rate;

/// A limit, ready to be charged. The same limit in the next generation has the same id and keeps its counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    id: [u64; 2],
    name: String,
    rate: Rate,
    burst: u64,
    algorithm: AlgorithmConfig,
}

impl Limit {
    /// A limit of `scope`; scope, rate, algorithm and burst together are its identity. `burst` counts for the token bucket
    /// only: how many requests may come at once, by default as many as the rate has.
    pub fn new(scope: &str, rate: Rate, algorithm: AlgorithmConfig, burst: Option<u64>) -> Self {
        let burst = burst.filter(|b| *b > 0).unwrap_or(rate.requests);
        let half = |seed| FixedState::with_seed(seed).hash_one((scope, rate, algorithm, burst));
        Self { id: [half(1), half(2)], name: scope.to_owned(), rate, burst, algorithm }
    }

    /// The same limit, of the same identity and with the same counters, for `factor` times as many requests; at least one.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        // A float converts to the nearest number that there is.
        let times = |count: u64| ((count as f64 * factor) as u64).max(1);
        let rate = Rate { requests: times(self.rate.requests), ..self.rate };
        Self { rate, burst: times(self.burst), ..self.clone() }
    }

    /// Identity, stable across generations and restarts of one version.
    pub const fn id(&self) -> [u64; 2] {
        self.id
    }

    /// The scope it was made for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requests and period.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How it counts.
    pub const fn algorithm(&self) -> AlgorithmConfig {
        self.algorithm
    }

    /// The most requests that may come at once.
    pub const fn burst(&self) -> u64 {
        self.burst
    }
}

/// Hits to count against one limit for one key.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// Whose counter: made with [`KeyBuilder`](crate::KeyBuilder).
    pub key: &'a [u8],
    /// How many; 0 asks without counting.
    pub hits: u64,
}

/// How several charges of one request belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charging {
    /// Each for itself, counted even when it is over (envoyproxy/ratelimit).
    Each,
    /// Only when all pass is any counted.
    AllOrNone,
}

/// What a charge found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// The hits do not fit.
    pub over: bool,
    /// Requests that the limit admits at once.
    pub limit: u64,
    /// Requests that are left now.
    pub remaining: u64,
    /// Time until the limit is as if unused.
    pub reset_after: Duration,
    /// Time until the hits would fit; zero when they do.
    pub retry_after: Duration,
}
