//! Tokens that were verified: found by their whole text, bounded in bytes.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crypto::jose::Jwk;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;
use model::Principal;
use parking_lot::Mutex;

use crate::claims::Validity;

const SHARDS: usize = 16;

/// What a verified token means.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) principal: Arc<Principal>,
    pub(crate) validity: Validity,
    /// The key that verified it; gone from the key set, the token is no longer good.
    pub(crate) key: Arc<Jwk>,
}

struct Entry {
    issuer: [u8; 32],
    token: Box<str>,
    verified: Verified,
    bytes: usize,
}

#[derive(Default)]
struct Shard {
    table: HashTable<Entry>,
    bytes: usize,
    hand: usize,
}

/// The cache. Only successes are kept.
pub(crate) struct TokenCache {
    shards: Vec<Mutex<Shard>>,
    per_shard: AtomicUsize,
    hasher: RandomState,
}

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            per_shard: AtomicUsize::new(0),
            hasher: RandomState::default(),
        }
    }

    pub(crate) fn resize(&self, bytes: usize) {
        self.per_shard.store(bytes / SHARDS, Ordering::Relaxed);
    }

    fn hash(&self, issuer: &[u8; 32], token: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (issuer, token).hash(&mut hasher);
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<Shard>> {
        self.shards.get((hash >> 40) as usize % SHARDS)
    }

    /// A hit is confirmed by the whole token and the issuer's configuration.
    pub(crate) fn find(&self, issuer: &[u8; 32], token: &str) -> Option<Verified> {
        let hash = self.hash(issuer, token);
        let shard = self.shard(hash)?.lock();
        shard.table.find(hash, |e| e.issuer == *issuer && *e.token == *token).map(|e| e.verified.clone())
    }

    pub(crate) fn insert(&self, issuer: &[u8; 32], token: &str, verified: Verified) {
        let most = self.per_shard.load(Ordering::Relaxed);
        let bytes = size(token, &verified.principal);
        if bytes > most {
            return;
        }
        let hash = self.hash(issuer, token);
        let Some(shard) = self.shard(hash) else { return };
        let mut shard = shard.lock();
        shard.make_room(most - bytes);
        let entry = Entry { issuer: *issuer, token: token.into(), verified, bytes };
        let same = |e: &Entry| e.issuer == *issuer && *e.token == *token;
        let before = match shard.table.entry(hash, same, |e| self.hash(&e.issuer, &e.token)) {
            TableEntry::Occupied(mut old) => std::mem::replace(old.get_mut(), entry).bytes,
            TableEntry::Vacant(free) => {
                free.insert(entry);
                0
            }
        };
        shard.bytes = shard.bytes + bytes - before;
    }

    pub(crate) fn remove(&self, issuer: &[u8; 32], token: &str) {
        let hash = self.hash(issuer, token);
        let Some(shard) = self.shard(hash) else { return };
        let mut shard = shard.lock();
        if let Ok(entry) = shard.table.find_entry(hash, |e| e.issuer == *issuer && *e.token == *token) {
            let (entry, _) = entry.remove();
            shard.bytes -= entry.bytes;
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|s| s.lock().bytes).sum()
    }
}

impl Shard {
    /// Takes entries away, going round, until no more than `most` bytes are left. Places are random, so no pattern of tokens can
    /// keep another one out.
    fn make_room(&mut self, most: usize) {
        while self.bytes > most {
            let buckets = self.table.num_buckets().max(1);
            self.hand = (self.hand + 1) % buckets;
            if let Ok(entry) = self.table.get_bucket_entry(self.hand) {
                let (entry, _) = entry.remove();
                self.bytes -= entry.bytes;
            }
        }
    }
}

/// What an entry takes, all told; attributes are counted as their JSON, doubled.
fn size(token: &str, principal: &Principal) -> usize {
    let texts = principal.subject.len() + principal.issuer.len() + principal.provider.len();
    let lists: usize = principal.roles.iter().chain(&principal.scopes).map(|s| s.len() + 32).sum();
    let attributes = serde_json::to_string(&principal.attributes).map_or(1024, |json| json.len() * 2);
    // The policy engine keeps its own form of the principal with it.
    size_of::<Entry>() + size_of::<Principal>() + token.len() + 3 * (texts + lists + attributes) + 512
}
