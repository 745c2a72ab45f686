//! Rules by domain, and which of them a descriptor means.

use std::collections::BTreeMap;
use std::time::Duration;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::limit::Limit;

/// `RateLimitResponse.RateLimit.Unit` (envoy.service.ratelimit.v3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// 1
    Second,
    /// 2
    Minute,
    /// 3
    Hour,
    /// 4
    Day,
    /// 7; 7 days.
    Week,
    /// 5; 30 days, as envoyproxy/ratelimit counts it.
    Month,
    /// 6; 365 days.
    Year,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 7] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// Name in configuration files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Number in `RateLimitResponse.RateLimit.Unit`, which is also that of `envoy.type.v3.RateLimitUnit` where that has the unit.
    pub const fn number(self) -> i32 {
        match self {
            Self::Second => 1,
            Self::Minute => 2,
            Self::Hour => 3,
            Self::Day => 4,
            Self::Month => 5,
            Self::Year => 6,
            Self::Week => 7,
        }
    }

    /// Length.
    pub const fn period(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Week => 604_800,
            Self::Month => 2_592_000,
            Self::Year => 31_536_000,
        })
    }
}

/// What a rule says about the requests it matches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) name: Option<String>,
    pub(crate) replaces: Vec<String>,
    pub(crate) shadow: bool,
    /// Being over is no refusal of its own: `quota_mode`.
    pub(crate) is_quota: bool,
    pub(crate) quota: Quota,
}

/// The rule that a descriptor means.
pub(crate) struct Match<'t> {
    pub(crate) rule: &'t Rule,
    /// For each entry the pattern under which all its values are counted together, where there is one.
    pub(crate) shared: SmallVec<[Option<&'t str>; 4]>,
}

/// How much.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Quota {
    Unlimited,
    /// Nothing passes: `requests_per_unit: 0`.
    Nothing(Unit),
    Limited {
        requests_per_unit: u32,
        unit: Unit,
        limit: Limit,
    },
}

/// One level of a domain's rules.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) rule: Option<Rule>,
    /// The values that this pattern stands for have one counter together: `share_threshold`.
    pub(crate) shares: bool,
    /// By `key` or `key_value`, as envoyproxy/ratelimit spells them.
    pub(crate) children: HashMap<String, Node>,
    /// Composite patterns with `*`, in file order.
    pub(crate) wildcards: Vec<String>,
}

/// All rules of the rate limit service, by domain.
#[derive(Debug, Default)]
pub struct DescriptorTree {
    pub(crate) domains: BTreeMap<String, Node>,
}

impl DescriptorTree {
    /// The domains that are configured.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.keys().map(String::as_str)
    }

    /// True when there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }
}

impl Node {
    /// The rule for a descriptor. Per entry: exact `key_value`, then wildcards in file order, then bare `key`; no backtracking. A rule
    /// counts only when it is matched by the last entry.
    pub(crate) fn find(&self, entries: &[(&str, &str)]) -> Option<Match<'_>> {
        let mut node = self;
        let mut shared = SmallVec::new();
        for (i, (key, value)) in entries.iter().enumerate() {
            let composite = if value.is_empty() { (*key).to_owned() } else { format!("{key}_{value}") };
            let wildcard = || {
                let pattern = node.wildcards.iter().find(|pattern| glob(pattern, &composite))?;
                node.children.get(pattern).map(|child| (child, child.shares.then_some(pattern.as_str())))
            };
            let exact = node.children.get(&composite).map(|child| (child, None));
            let next = exact.or_else(wildcard).or_else(|| node.children.get(*key).map(|child| (child, None)));
            let (child, pattern) = next?;
            shared.push(pattern);
            node = child;
            if i + 1 == entries.len() {
                return node.rule.as_ref().map(|rule| Match { rule, shared });
            }
            if node.children.is_empty() {
                return None;
            }
        }
        None
    }
}

/// `*` stands for any number of characters: prefix, suffix, then the parts between, leftmost first.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|prefix| text.strip_prefix(prefix)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(suffix) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars() {
        for (pattern, text, want) in [
            ("path_/a/*", "path_/a/b/c", true),
            ("path_/a/*", "path_/b", false),
            ("path_*/x/*.js", "path_/1/x/2.js", true),
            ("path_*/x/*.js", "path_/1/y/2.js", false),
            ("k_*aa*", "k_a", false),
            ("k_a*a", "k_a", false),
            ("k_*", "k_", true),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }
}
