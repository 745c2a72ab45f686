//! Compiled patterns, per thread and used by reference: no lock, and no copy of a matcher per call.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use regex::Regex;

/// The most patterns kept per thread and kind. All are dropped when there are more.
const MAX_PATTERNS: usize = 2_048;
/// Longer patterns are compiled for each use: they may come from requests.
const MAX_KEPT_BYTES: usize = 512;
/// The most memory that one kept pattern may take, in bytes.
const MAX_KEPT_PROGRAM: usize = 128 << 10;
/// The most memory that one pattern may take at all, in bytes.
const MAX_PROGRAM: usize = 2 << 20;

/// Compiled patterns by their text and a second text (the delimiters of a glob).
#[derive(Default)]
pub(super) struct PatternCache {
    hasher: RandomState,
    table: HashTable<Entry>,
}

struct Entry {
    pattern: Box<str>,
    extra: Box<str>,
    /// `None` for a pattern that is malformed: that is remembered too.
    regex: Option<Regex>,
}

impl PatternCache {
    /// Whether `text` matches; `None` when the pattern is malformed. `translate` gives the pattern as a regular
    /// expression, and is only called when it is not kept yet.
    pub(super) fn is_match(
        &mut self,
        (pattern, extra): (&str, &str),
        text: &str,
        translate: impl Fn(&str, &str) -> Option<String>,
    ) -> Option<bool> {
        let hash = self.hasher.hash_one((pattern, extra));
        let same = |e: &Entry| *e.pattern == *pattern && *e.extra == *extra;
        if let Some(entry) = self.table.find(hash, same) {
            return entry.regex.as_ref().map(|r| r.is_match(text));
        }
        let translated = translate(pattern, extra);
        let is_short = pattern.len() + extra.len() <= MAX_KEPT_BYTES;
        let kept = translated.as_deref().and_then(|t| build(t, MAX_KEPT_PROGRAM));
        if !is_short || (kept.is_none() && translated.is_some()) {
            return translated.and_then(|t| build(&t, MAX_PROGRAM)).map(|r| r.is_match(text));
        }
        let result = kept.as_ref().map(|r| r.is_match(text));
        if self.table.len() >= MAX_PATTERNS {
            self.table.clear();
        }
        let entry = Entry { pattern: pattern.into(), extra: extra.into(), regex: kept };
        let hasher = &self.hasher;
        self.table.insert_unique(hash, entry, |e| hasher.hash_one((&*e.pattern, &*e.extra)));
        result
    }
}

fn build(pattern: &str, max_bytes: usize) -> Option<Regex> {
    regex::RegexBuilder::new(pattern).size_limit(max_bytes).dfa_size_limit(256 << 10).nest_limit(100).build().ok()
}
