//! Tokens that were verified: found by their whole text, bounded in bytes.
//!
//! An entry is made after success only. A hit is confirmed by the whole token and by the identity of the issuer's configuration, so
//! that routes with different rules never share one; it counts only while the very key that verified it is in the issuer's key set.
//! Times are checked by the caller, on every hit.

mod size;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crypto::jose::Jwk;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;
use model::Principal;
use parking_lot::Mutex;

use crate::claims::Validity;
use crate::keys::KeySet;

const SHARDS: usize = 16;

/// What a verified token means.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) principal: Arc<Principal>,
    pub(crate) validity: Validity,
    /// The key that verified it; gone from the key set, the token is no longer good.
    pub(crate) key: Arc<Jwk>,
}

/// Issuer and configuration, hashed.
pub(crate) type Fingerprint = [u8; 32];

struct Entry {
    issuer: Fingerprint,
    token: Box<str>,
    verified: Verified,
    bytes: usize,
    /// Found since the hand last passed.
    used: bool,
}

#[derive(Default)]
struct Shard {
    table: HashTable<Entry>,
    bytes: usize,
    hand: usize,
}

/// The cache.
pub(crate) struct TokenCache {
    shards: Vec<Mutex<Shard>>,
    per_shard: AtomicUsize,
    /// Keyed anew in every process: nobody outside knows which tokens share a place.
    hasher: RandomState,
}

impl TokenCache {
    /// A cache of no size.
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            per_shard: AtomicUsize::new(0),
            hasher: RandomState::default(),
        }
    }

    /// From now on at most `bytes`; what is too much leaves at once.
    pub(crate) fn resize(&self, bytes: usize) {
        let per_shard = bytes / SHARDS;
        if self.per_shard.swap(per_shard, Ordering::AcqRel) > per_shard {
            for shard in &self.shards {
                shard.lock().make_room(per_shard);
            }
        }
    }

    fn hash(&self, issuer: &Fingerprint, token: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(issuer);
        hasher.write(token.as_bytes());
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<Shard>> {
        // The table uses the low bits and the topmost seven.
        self.shards.get((hash >> 40) as usize % SHARDS)
    }

    /// What a token means that was verified under this configuration by a key that is still in force.
    pub(crate) fn find(&self, issuer: &Fingerprint, token: &str, keys: &KeySet) -> Option<(Arc<Principal>, Validity)> {
        let hash = self.hash(issuer, token);
        let mut shard = self.shard(hash)?.lock();
        let entry = shard.table.find_mut(hash, |e| e.is(issuer, token))?;
        if keys.holds(&entry.verified.key) {
            entry.used = true;
            return Some((Arc::clone(&entry.verified.principal), entry.verified.validity));
        }
        shard.remove(hash, issuer, token);
        None
    }

    /// Keeps a token that was verified just now.
    pub(crate) fn insert(&self, issuer: &Fingerprint, token: &str, verified: Verified) {
        let most = self.per_shard.load(Ordering::Acquire);
        let bytes = size::of(token, &verified.principal);
        if bytes > most {
            return;
        }
        let hash = self.hash(issuer, token);
        let Some(shard) = self.shard(hash) else { return };
        let mut shard = shard.lock();
        shard.make_room(most - bytes);
        let entry = Entry { issuer: *issuer, token: token.into(), verified, bytes, used: false };
        let rehash = |e: &Entry| self.hash(&e.issuer, &e.token);
        let before = match shard.table.entry(hash, |e| e.is(issuer, token), rehash) {
            TableEntry::Occupied(mut old) => std::mem::replace(old.get_mut(), entry).bytes,
            TableEntry::Vacant(free) => {
                free.insert(entry);
                0
            }
        };
        shard.bytes = (shard.bytes + bytes).saturating_sub(before);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|s| s.lock().bytes).sum()
    }
}

impl Entry {
    fn is(&self, issuer: &Fingerprint, token: &str) -> bool {
        *self.token == *token && self.issuer == *issuer
    }
}

impl Shard {
    fn remove(&mut self, hash: u64, issuer: &Fingerprint, token: &str) {
        if let Ok(entry) = self.table.find_entry(hash, |e| e.is(issuer, token)) {
            let (entry, _) = entry.remove();
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }

    /// Takes entries away, going round, until no more than `most` bytes are left. What was found since the last round stays for
    /// another one. Places are random, so no pattern of tokens can keep another one out.
    fn make_room(&mut self, most: usize) {
        while self.bytes > most && !self.table.is_empty() {
            self.hand = (self.hand + 1) % self.table.num_buckets().max(1);
            let Ok(mut entry) = self.table.get_bucket_entry(self.hand) else { continue };
            if std::mem::take(&mut entry.get_mut().used) {
                continue;
            }
            let (entry, _) = entry.remove();
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }
}
