//! Which route a request is for.
//!
//! Among the routes that match, the order is: exact host, then suffix hosts by length, then any host; the path segment
//! by segment, literal before `{x}` before `**`; then the smaller method set; then more header predicates. Two routes of equal
//! rank that could match the same request are a configuration problem. Look-up walks an index: thousands of routes
//! cost about what one costs.

mod insert;
mod pattern;
#[cfg(test)]
mod tests;

use hashbrown::HashMap;
use model::Header;
use smallvec::SmallVec;

pub(crate) use pattern::{Pattern, Segment};

use crate::config::HeaderPredicateConfig;

/// Number of a route in the snapshot.
pub(crate) type RouteId = usize;

/// Captured segments, in the order of their names in the route.
pub(crate) type Captures<'p> = SmallVec<[&'p str; 4]>;

/// What a route asks of a request besides host and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) route: RouteId,
    /// Empty for any.
    pub(crate) methods: Vec<String>,
    pub(crate) predicates: Vec<(String, HeaderPredicateConfig)>,
}

/// One level of the path index.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node, foldhash::fast::RandomState>,
    capture: Option<Box<Node>>,
    /// Routes whose pattern ends here.
    ends: Vec<Candidate>,
    /// Routes whose pattern is `**` from here.
    rest: Vec<Candidate>,
}

/// The index over all routes.
#[derive(Debug, Default)]
pub(crate) struct Router {
    exact: HashMap<Box<str>, Node, foldhash::fast::RandomState>,
    /// By the suffix without `*`, such as `.example.com`.
    suffixes: HashMap<Box<str>, Node, foldhash::fast::RandomState>,
    any: Option<Node>,
}

impl Router {
    /// The best route for a request; `host` and `path` are in normal form.
    pub(crate) fn find<'p>(
        &self,
        host: &str,
        path: &'p str,
        method: &str,
        headers: &[Header<'_>],
    ) -> Option<(RouteId, Captures<'p>)> {
        let segments: SmallVec<[&'p str; 16]> = path.split('/').skip(1).collect();
        let mut captures = Captures::new();
        for root in self.tables(host) {
            captures.clear();
            if let Some(route) = root.find(&segments, method, headers, &mut captures) {
                return Some((route, captures));
            }
        }
        None
    }

    /// The path indexes for a host, best first.
    fn tables<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Node> {
        let suffixes = host
            .char_indices()
            .filter(|&(i, c)| c == '.' && i > 0)
            .filter_map(|(i, _)| host.get(i..))
            .filter_map(|suffix| self.suffixes.get(suffix));
        self.exact.get(host).into_iter().chain(suffixes).chain(self.any.as_ref())
    }
}

impl Node {
    fn find<'p>(
        &self,
        segments: &[&'p str],
        method: &str,
        headers: &[Header<'_>],
        captures: &mut Captures<'p>,
    ) -> Option<RouteId> {
        let Some((segment, deeper)) = segments.split_first() else {
            return select(&self.ends, method, headers).or_else(|| select(&self.rest, method, headers));
        };
        if let Some(node) = self.literals.get(*segment)
            && let Some(route) = node.find(deeper, method, headers, captures)
        {
            return Some(route);
        }
        if let Some(node) = &self.capture
            && !segment.is_empty()
        {
            captures.push(segment);
            if let Some(route) = node.find(deeper, method, headers, captures) {
                return Some(route);
            }
            captures.pop();
        }
        select(&self.rest, method, headers)
    }
}

/// The first candidate that matches; they are sorted by rank.
fn select(candidates: &[Candidate], method: &str, headers: &[Header<'_>]) -> Option<RouteId> {
    candidates.iter().find(|c| c.matches(method, headers)).map(|c| c.route)
}

impl Candidate {
    fn matches(&self, method: &str, headers: &[Header<'_>]) -> bool {
        let method_fits = self.methods.is_empty() || self.methods.iter().any(|m| m == method);
        method_fits && self.predicates.iter().all(|(name, wanted)| holds(name, wanted, headers))
    }
}

/// A repeated header has no single value: `exact` and `prefix` do not hold for it.
fn holds(name: &str, wanted: &HeaderPredicateConfig, headers: &[Header<'_>]) -> bool {
    let mut values = headers.iter().filter(|h| h.name == name).map(|h| h.value);
    let first = values.next();
    let single = first.filter(|_| values.next().is_none());
    match wanted {
        HeaderPredicateConfig::Present => first.is_some(),
        HeaderPredicateConfig::Absent => first.is_none(),
        HeaderPredicateConfig::Exact(text) => single == Some(text.as_bytes()),
        HeaderPredicateConfig::Prefix(text) => single.is_some_and(|value| value.starts_with(text.as_bytes())),
    }
}
