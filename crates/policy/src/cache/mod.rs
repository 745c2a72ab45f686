//! Decisions kept per worker thread.
//!
//! The key is an injective encoding of everything the policy can read, with tenant and generation, and a hit compares
//! all of it. Entries leave when they are older than the configured age (by request time), when the share of memory is
//! used up, and with the policy set that made them.

mod key;

use std::time::Duration;

use hashbrown::HashMap;
use model::{Denial, Timestamp};

pub(crate) use key::KeyPlan;

use crate::result::Decision;
use crate::set::PolicyAllow;

type Map = HashMap<Box<[u8]>, Entry, foldhash::fast::RandomState>;

/// Decisions of one policy set in one thread, in two halves: when the young half is full, the old one is dropped and
/// the young one takes its place. A hit in the old half moves the entry to the young one.
#[derive(Default)]
pub(crate) struct DecisionCache {
    young: Map,
    old: Map,
    young_bytes: usize,
}

struct Entry {
    decision: Decision,
    at: Timestamp,
    bytes: usize,
}

/// What a cache may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheLimits {
    /// Bytes of keys and decisions.
    pub(crate) bytes: usize,
    /// Longest life of an entry.
    pub(crate) max_age: Duration,
}

impl DecisionCache {
    /// The decision for `key`, when there is one that is young enough at `now`.
    pub(crate) fn find(&mut self, key: &[u8], now: Timestamp, limits: CacheLimits) -> Option<Decision> {
        // A clock that went back says nothing about an entry's age: such an entry is not used.
        let is_fresh = |e: &Entry| now >= e.at && now.saturating_since(e.at) <= limits.max_age;
        if let Some(entry) = self.young.get(key) {
            return is_fresh(entry).then(|| entry.decision.clone());
        }
        let (key, entry) = self.old.remove_entry(key)?;
        if !is_fresh(&entry) {
            return None;
        }
        let decision = entry.decision.clone();
        self.insert(key, entry, limits);
        Some(decision)
    }

    /// Keeps a decision made at `now`.
    pub(crate) fn keep(&mut self, key: &[u8], decision: &Decision, now: Timestamp, limits: CacheLimits) {
        let bytes = key.len() + size_of::<Entry>() + 64 + decision_bytes(decision);
        if bytes > limits.bytes / 8 {
            return;
        }
        self.old.remove(key);
        self.insert(key.into(), Entry { decision: decision.clone(), at: now, bytes }, limits);
    }

    fn insert(&mut self, key: Box<[u8]>, entry: Entry, limits: CacheLimits) {
        if self.young_bytes + entry.bytes > limits.bytes / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += entry.bytes;
        if let Some(replaced) = self.young.insert(key, entry) {
            self.young_bytes = self.young_bytes.saturating_sub(replaced.bytes);
        }
    }

    /// Bytes in use, over both halves at most twice the young one's share.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.young_bytes + self.old.values().map(|e| e.bytes).sum::<usize>()
    }
}

/// About how much memory a decision takes beyond its own size.
fn decision_bytes(decision: &Decision) -> usize {
    let texts = |pairs: &[(String, String)]| pairs.iter().map(|(a, b)| a.len() + b.len() + 48).sum::<usize>();
    let edits = |edits: &[model::HeaderEdit]| edits.iter().map(|e| e.name.len() + e.value.len() + 56).sum::<usize>();
    let metadata = |m: &Option<serde_json::Map<String, serde_json::Value>>| {
        m.as_ref().map_or(0, |m| serde_json::to_string(m).map_or(0, |s| s.len() * 4))
    };
    match decision {
        Decision::Allow(PolicyAllow { changes, metadata: m, limit, .. }) => {
            edits(&changes.headers)
                + edits(&changes.response_headers)
                + changes.headers_to_remove.iter().map(|n| n.len() + 24).sum::<usize>()
                + texts(&changes.query_set)
                + changes.query_remove.iter().map(|n| n.len() + 24).sum::<usize>()
                + metadata(m)
                + limit.as_ref().and_then(|limit| limit.tier.as_ref()).map_or(0, String::len)
        }
        Decision::Deny(Denial { headers, body, metadata: m, detail, .. }) => {
            texts(headers) + body.as_ref().map_or(0, String::len) + detail.as_ref().map_or(0, |d| d.len()) + metadata(m)
        }
    }
}

#[cfg(test)]
mod tests;
