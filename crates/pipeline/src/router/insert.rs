//! Building the index, and finding routes that could be confused.

use super::{Candidate, Pattern, RouteId, Router, Segment};
use crate::config::HeaderPredicateConfig;

impl Router {
    /// Adds a route under a host (`a.test`, `*.test` or `*`).
    ///
    /// # Errors
    /// The route of equal rank that could match the same requests.
    pub(crate) fn insert(&mut self, host: &str, pattern: &Pattern, candidate: Candidate) -> Result<(), RouteId> {
        let mut node = if host == "*" {
            self.any.get_or_insert_default()
        } else if let Some(suffix) = host.strip_prefix('*') {
            self.suffixes.entry_ref(suffix).or_default()
        } else {
            self.exact.entry_ref(host).or_default()
        };
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry_ref(text.as_str()).or_default(),
                Segment::Capture(_) => node.capture.get_or_insert_default(),
            };
        }
        let list = if pattern.rest { &mut node.rest } else { &mut node.ends };
        if let Some(other) = list.iter().find(|c| confused(c, &candidate)) {
            return Err(other.route);
        }
        list.push(candidate);
        // Stable, so that routes that cannot be confused keep the order of the file.
        list.sort_by_key(rank);
        Ok(())
    }
}

/// Lower comes first: the smaller method set (any method last), then more predicates.
fn rank(candidate: &Candidate) -> (usize, std::cmp::Reverse<usize>) {
    let methods = if candidate.methods.is_empty() { usize::MAX } else { candidate.methods.len() };
    (methods, std::cmp::Reverse(candidate.predicates.len()))
}

/// True when the two have equal rank and some request would match both.
fn confused(a: &Candidate, b: &Candidate) -> bool {
    let share_a_method = a.methods.is_empty() || a.methods.iter().any(|m| b.methods.contains(m));
    let exclude = a
        .predicates
        .iter()
        .any(|(name, wanted)| b.predicates.iter().any(|(other, w)| other == name && contradict(wanted, w)));
    rank(a) == rank(b) && share_a_method && !exclude
}

/// True when no header can be as both say.
fn contradict(a: &HeaderPredicateConfig, b: &HeaderPredicateConfig) -> bool {
    use HeaderPredicateConfig::{Absent, Exact, Prefix, Present};
    match (a, b) {
        (Absent, Present | Exact(_) | Prefix(_)) | (Present | Exact(_) | Prefix(_), Absent) => true,
        (Exact(x), Exact(y)) => x != y,
        (Exact(x), Prefix(y)) | (Prefix(y), Exact(x)) => !x.starts_with(y.as_str()),
        (Prefix(x), Prefix(y)) => !x.starts_with(y.as_str()) && !y.starts_with(x.as_str()),
        (Absent, Absent) | (Present, Present | Exact(_) | Prefix(_)) | (Exact(_) | Prefix(_), Present) => false,
    }
}
