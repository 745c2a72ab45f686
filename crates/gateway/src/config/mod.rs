//! The `server` section: listeners, workers, limits, drain.

mod listener;
mod plan;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::path::Path as FilePath;

use config::{Path, Period, Problems, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use listener::{ListenerConfig, MinVersion, Plaintext, Service, TlsConfig, TrustedAttribute};
pub use plan::{Address, ListenerPlan, ServerPlan, SocketRules, TlsPlan};

/// How Gatehouse listens and how much it takes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Where Gatehouse listens, and what it serves there.
    pub listeners: Vec<ListenerConfig>,
    /// Worker threads; one per processor when absent.
    pub workers: Option<NonZeroUsize>,
    /// How long requests and connections may take to end after the order to stop.
    pub drain: Period,
    /// How long new connections are still accepted after the order to stop, so that load balancers can notice.
    pub drain_notice: Period,
    /// A connection is asked to close after this time, give or take a tenth, so that connections spread over workers again.
    pub max_connection_age: Period,
    /// Part of the caller's deadline that is kept for sending the answer.
    pub deadline_reserve: Period,
    /// Deadline of callers that set none, and the longest that a caller gets.
    pub max_deadline: Period,
    /// Requests at work at once; more are refused at once with 503.
    pub max_in_flight: u32,
    /// Open connections of all listeners; more are closed at once.
    pub max_connections: u32,
    /// Size of the largest check or rate-limit request; larger ones are denied.
    pub max_request: Size,
    /// How often certificate files are looked at for changes.
    pub certificate_poll: Period,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            workers: None,
            drain: Period::secs(10),
            drain_notice: Period::millis(500),
            max_connection_age: Period::secs(30 * 60),
            deadline_reserve: Period::millis(2),
            max_deadline: Period::secs(5),
            max_in_flight: 4096,
            max_connections: 4096,
            max_request: Size(4 << 20),
            certificate_poll: Period::secs(2),
        }
    }
}

impl ServerConfig {
    /// Takes relative file names as relative to `base`.
    pub fn resolve_paths(&mut self, base: &FilePath) {
        for listener in &mut self.listeners {
            listener.resolve_paths(base);
        }
    }

    /// Checks the section and reads the certificates it names. All problems are collected.
    pub fn compile(&self, at: &Path, problems: &mut Problems) -> Option<ServerPlan> {
        let mut ok = self.check_numbers(at, problems);
        let listeners_at = at.key("listeners");
        if self.listeners.is_empty() {
            problems
                .error(&listeners_at, "no listener: add one, such as { address: \"127.0.0.1:9191\", serves: [check] }");
            ok = false;
        }
        let mut listeners = Vec::new();
        for (index, listener) in self.listeners.iter().enumerate() {
            let listener_at = listeners_at.index(index);
            // Port 0 is another port each time.
            let fixed = !listener.address.ends_with(":0");
            if fixed && self.listeners.iter().take(index).any(|earlier| earlier.address == listener.address) {
                problems.error(&listener_at.key("address"), format!("{} is listed twice", listener.address));
                ok = false;
            }
            match listener.compile(&listener_at, problems) {
                Some(plan) => listeners.push(plan),
                None => ok = false,
            }
        }
        let workers = self.workers.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        ok.then(|| ServerPlan {
            listeners,
            workers: workers.get().min(MAX_WORKERS),
            drain: self.drain.0,
            drain_notice: self.drain_notice.0,
            max_connection_age: self.max_connection_age.0,
            deadline_reserve: self.deadline_reserve.0,
            max_deadline: self.max_deadline.0,
            max_in_flight: self.max_in_flight as usize,
            max_connections: self.max_connections as usize,
            max_request: self.max_request.bytes(),
            certificate_poll: self.certificate_poll.0,
        })
    }

    fn check_numbers(&self, at: &Path, problems: &mut Problems) -> bool {
        let before = problems.len();
        let positive = [
            ("max_connection_age", self.max_connection_age.0.is_zero()),
            ("max_deadline", self.max_deadline.0.is_zero()),
            ("certificate_poll", self.certificate_poll.0.is_zero()),
            ("max_in_flight", self.max_in_flight == 0),
            ("max_connections", self.max_connections == 0),
            ("max_request", self.max_request.0 == 0),
        ];
        for (key, zero) in positive {
            if zero {
                problems.error(&at.key(key), "must be more than 0");
            }
        }
        if self.max_request.0 > MAX_REQUEST {
            problems.error(&at.key("max_request"), format!("must be at most {}", Size(MAX_REQUEST)));
        }
        if self.deadline_reserve >= self.max_deadline {
            problems.error(&at.key("deadline_reserve"), "must be less than max_deadline");
        }
        if self.workers.is_some_and(|workers| workers.get() > MAX_WORKERS) {
            problems.error(&at.key("workers"), format!("must be at most {MAX_WORKERS}"));
        }
        problems.len() == before
    }
}

/// More threads than this are a mistake.
const MAX_WORKERS: usize = 512;
/// Largest value of `max_request`.
const MAX_REQUEST: u64 = 256 << 20;
