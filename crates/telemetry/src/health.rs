//! Named dependencies and whether they are there.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// How a dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It works.
    Ready,
    /// It works with what it had before.
    Degraded,
    /// It does not work; Gatehouse is not ready.
    Down,
}

/// The registry behind `/readyz`.
#[derive(Debug, Default)]
pub struct Health(Mutex<BTreeMap<String, (HealthState, String)>>);

impl Health {
    /// Nothing registered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how a dependency is.
    pub fn set(&self, name: &str, state: HealthState, detail: impl Into<String>) {
        self.0.lock().insert(name.to_owned(), (state, detail.into()));
    }

    /// Every dependency with its state and detail, by name.
    pub fn all(&self) -> Vec<(String, HealthState, String)> {
        self.0.lock().iter().map(|(name, (state, detail))| (name.clone(), *state, detail.clone())).collect()
    }

    /// True when no dependency is down.
    pub fn ready(&self) -> bool {
        self.0.lock().values().all(|(state, _)| *state != HealthState::Down)
    }
}
