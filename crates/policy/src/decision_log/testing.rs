//! What tests count with.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::loss::{Loss, Observer};

#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    logged: u64,
    lost: HashMap<Loss, u64>,
    pending: u64,
}

impl Counts {
    pub(super) fn logged(&self) -> u64 {
        self.0.lock().logged
    }

    pub(super) fn lost(&self, loss: Loss) -> u64 {
        self.0.lock().lost.get(&loss).copied().unwrap_or(0)
    }

    pub(super) fn lost_in_all(&self) -> u64 {
        self.0.lock().lost.values().sum()
    }

    pub(super) fn pending(&self) -> u64 {
        self.0.lock().pending
    }
}

impl Observer for Counts {
    fn logged(&self) {
        self.0.lock().logged += 1;
    }

    fn lost(&self, loss: Loss, events: u64) {
        *self.0.lock().lost.entry(loss).or_default() += events;
    }

    fn cache_dropped(&self, _: u64) {}

    fn uploaded(&self, _: bool) {}

    fn pending(&self, bytes: u64) {
        self.0.lock().pending = bytes;
    }
}
