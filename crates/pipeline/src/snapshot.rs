//! Everything that requests are decided by, in one immutable value with a generation number.

use std::sync::Arc;

use authn::{Authenticator, Method};
use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;
use policy::{EntryPointId, PolicySet, RouteValue};
use ratelimit::RateLimits;
use serde_json::Value;

use crate::config::PathAllowance;
use crate::roles::RoleTable;
use crate::router::Router;
use crate::stages::limit::RouteLimit;
use crate::template::Template;

/// The engines of a generation, as their crates compiled them. Where one has problems, routes are checked against what there is of it.
pub struct SnapshotParts {
    /// Number of the generation, from 1.
    pub generation: u64,
    /// Who is calling.
    pub authenticator: Authenticator,
    /// Rego; `None` when it was refused.
    pub policy: Option<PolicySet>,
    /// Tiers and descriptors.
    pub limits: RateLimits,
}

/// One generation of configuration, routes, policies and limits. Built whole by a reload, then never changed.
pub struct Snapshot {
    pub(crate) generation: u64,
    /// The generation as text, for metadata.
    pub(crate) generation_text: String,
    pub(crate) authenticator: Authenticator,
    pub(crate) policy: PolicySet,
    pub(crate) limits: RateLimits,
    pub(crate) roles: RoleTable,
    pub(crate) router: Router,
    pub(crate) routes: Vec<Route>,
    /// By every name under which a request may state it.
    pub(crate) tenants: HashMap<String, Arc<str>, foldhash::fast::RandomState>,
    pub(crate) hops: Hops,
    pub(crate) owned: OwnedHeaders,
}

impl Snapshot {
    /// The generation number; every answer states the one that decided.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Who is calling.
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// The policies.
    pub const fn policy(&self) -> &PolicySet {
        &self.policy
    }
}

/// How many and which proxies before Envoy are ours.
pub(crate) struct Hops {
    pub(crate) count: usize,
    pub(crate) proxies: Vec<IpNet>,
}

/// Headers that only Gatehouse may set, and headers that change what a request means to some upstreams.
pub(crate) struct OwnedHeaders {
    /// Names with `-` for `_`.
    pub(crate) names: HashSet<Box<str>, foldhash::fast::RandomState>,
    /// Bit n is set when a name has n bytes: most headers are told apart by their length.
    pub(crate) lengths: u64,
}

/// A route, ready to decide.
pub(crate) struct Route {
    pub(crate) api: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) attributes: Value,
    pub(crate) tenant: Option<TenantSource>,
    pub(crate) path: PathRules,
    pub(crate) preflight_passes: bool,
    pub(crate) plaintext_accepted: bool,
    pub(crate) log_all: bool,
    pub(crate) error_passes: bool,
    pub(crate) shield: Shield,
    pub(crate) methods: Vec<Method>,
    pub(crate) rules: Rules,
    pub(crate) limits: Vec<RouteLimit>,
    pub(crate) respond: Respond,
    /// `input.route`.
    pub(crate) value: RouteValue,
}

pub(crate) enum TenantSource {
    Host,
    /// The capture at this place.
    Path(usize),
    Header(String),
}

pub(crate) struct PathRules {
    pub(crate) overwrite: bool,
    pub(crate) allow: Vec<PathAllowance>,
}

pub(crate) struct Shield {
    pub(crate) max_headers: usize,
    pub(crate) max_header_bytes: usize,
    pub(crate) max_body: u64,
    pub(crate) methods: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) limits: Vec<RouteLimit>,
}

/// The Rego rule that decides, with its name.
pub(crate) enum RegoRule {
    One(EntryPointId, String),
    /// One of several, by what the template gives.
    Select(Template, HashMap<String, (EntryPointId, String), foldhash::fast::RandomState>),
}

pub(crate) struct Rules {
    pub(crate) scopes: Vec<String>,
    pub(crate) any_scope: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) any_role: Vec<String>,
    pub(crate) permissions: Vec<String>,
    pub(crate) rego: Option<RegoRule>,
    /// The scopes of the challenge, separated by spaces.
    pub(crate) challenge: Option<Arc<str>>,
}

#[derive(Default)]
pub(crate) struct Respond {
    pub(crate) request_headers: Vec<(String, Template)>,
    pub(crate) remove_request_headers: Vec<String>,
    pub(crate) response_headers: Vec<(String, Template)>,
    pub(crate) metadata: Vec<(String, Template)>,
    pub(crate) query_set: Vec<(String, Template)>,
    pub(crate) query_remove: Vec<String>,
}
