//! The keys of an issuer at one moment.

use std::sync::Arc;

use crypto::jose::{Algorithm, Jwk, Jwks};
use smallvec::SmallVec;

/// The most keys that are tried for one token: a token without `kid` must not cost a signature for every key of a large set.
const MOST_TRIED: usize = 4;

/// Keys, and why others of the same set cannot be used.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Arc<Jwk>>,
    skipped: Vec<String>,
}

/// What a look-up found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Keys to try.
    Keys(SmallVec<[Arc<Jwk>; 1]>),
    /// The `kid` is there, and its key is for something else.
    Unfit,
    /// No such key.
    Nothing,
}

impl KeySet {
    /// A shared secret.
    pub(crate) fn fixed(key: Arc<Jwk>) -> Self {
        Self { keys: vec![key], skipped: Vec::new() }
    }

    /// The set that follows `before`. A key that was there already stays the same one, so that tokens it verified stay cached.
    pub(crate) fn following(before: Option<&Self>, jwks: Jwks) -> Self {
        let same = |new: &Arc<Jwk>| {
            before?
                .keys
                .iter()
                .find(|old| old.fingerprint == new.fingerprint && old.kid == new.kid && old.algorithm == new.algorithm)
        };
        let keys = jwks.keys.into_iter().map(|key| same(&key).map_or(key, Arc::clone)).collect();
        Self { keys, skipped: jwks.skipped }
    }

    /// The keys for a token. Without `kid`, those that fit, up to four. A key without `kid` that is alone is meant for every token.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Found {
        let alone = self.keys.len() == 1;
        let named = |key: &Jwk| match (kid, &key.kid) {
            (None, _) => true,
            (Some(_), None) => alone,
            (Some(kid), Some(own)) => kid == own,
        };
        let mut keys = SmallVec::new();
        let mut unfit = false;
        for key in self.keys.iter().filter(|key| named(key)) {
            if !key.fits(algorithm) {
                unfit = kid.is_some();
            } else if keys.len() < MOST_TRIED {
                keys.push(Arc::clone(key));
            }
        }
        match (keys.is_empty(), unfit) {
            (false, _) => Found::Keys(keys),
            (true, true) => Found::Unfit,
            (true, false) => Found::Nothing,
        }
    }

    /// True while this very key is in the set.
    pub(crate) fn holds(&self, key: &Arc<Jwk>) -> bool {
        self.keys.iter().any(|k| Arc::ptr_eq(k, key))
    }

    /// Why keys are left out.
    pub(crate) fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// True when the issuer has no keys at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
