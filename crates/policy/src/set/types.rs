//! The vocabulary of evaluation.

use crate::input::{Material, Source};
use model::{Allowed, Identity, RequestContext};
use serde_json::{Map, Value as Json};

/// Names one entry point of a [`crate::PolicySet`]. Only valid with the set that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryPointId(pub(super) usize);

/// `input.route` in the form the policy engine reads, made once per route at load.
#[derive(Debug, Clone)]
pub struct RouteValue {
    pub(crate) value: regorus::Value,
}

impl RouteValue {
    /// `input.route` from what the configuration says of the route.
    pub fn new(route: &Json) -> Self {
        Self { value: regorus::Value::from(route.clone()) }
    }
}

/// What a policy decides on: borrowed for `'a` from a request that borrows from the received bytes for `'r`.
pub struct PolicyInput<'a, 'r> {
    /// The request; policies see its sanitised headers.
    pub request: &'a RequestContext<'r>,
    /// The outcome of authentication, `input.principal`.
    pub identity: &'a Identity,
    /// `input.route`.
    pub route: &'a RouteValue,
    /// The generation of the snapshot that decides.
    pub generation: u64,
}

impl PolicyInput<'_, '_> {
    pub(crate) fn material(&self) -> Material<'_, '_> {
        let ours = Some((self.identity, self.route));
        Material { source: Source::Sanitised(self.request), ours, bodies: true, descriptors: None }
    }
}

/// What a policy adds to a request that it lets through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicyAllow {
    /// Header and query changes.
    pub changes: Allowed,
    /// Dynamic metadata.
    pub metadata: Option<Map<String, Json>>,
    /// How the request is to be limited.
    pub limit: Option<LimitSteer>,
    /// True when the decision came from the decision cache.
    pub cached: bool,
}

/// How a policy wants a request to be limited (`limit` of its result).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LimitSteer {
    /// The tier that applies in place of the route's.
    pub tier: Option<String>,
    /// What the request costs; 1 when absent, and 0 asks without counting.
    pub cost: Option<u64>,
    /// The limits hold for so many times as many requests.
    pub factor: Option<f64>,
}

/// Which engine evaluates an entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// The register machine of regorus.
    Rvm,
    /// The tree-walking interpreter of regorus: complete, and several times slower.
    Interpreter,
}

impl EngineKind {
    /// Stable name, as in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rvm => "rvm",
            Self::Interpreter => "interpreter",
        }
    }
}

/// How an entry point is served, for `gatehouse check` and `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPointDescription {
    /// The rule as the configuration names it.
    pub rule: String,
    /// Which engine evaluates it.
    pub engine: EngineKind,
    /// Why it is not the register machine; absent when it is.
    pub engine_reason: Option<String>,
    /// Why decisions are not cached; absent when they are.
    pub uncacheable: Option<String>,
    /// The parts of `input` that it can read, as dotted paths; `["input"]` when it can read everything.
    pub input_paths: Vec<String>,
}

/// Counters since the set was compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicyStats {
    /// Evaluations that ran.
    pub evaluations: u64,
    /// Decisions taken from the decision cache.
    pub cache_hits: u64,
    /// Look-ups in the decision cache that found nothing.
    pub cache_misses: u64,
    /// Evaluations that ended in a panic.
    pub panics: u64,
    /// Evaluations that ran into the time or instruction limit.
    pub timeouts: u64,
}
