//! APIs and routes as they are written.

use std::collections::BTreeMap;

use authn::MethodConfig;
use config::Path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::global::ShieldConfig;
use super::limits::LimitList;

/// An API: hosts, defaults for its routes, and the routes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Name, unique; it appears in logs, metadata and policies.
    pub name: String,
    /// The team that answers for it.
    pub owner: Option<String>,
    /// Free facts for policies and logs: `classification`, `owner_team`, `tier`, `compliance`, or any other key.
    pub attributes: Map<String, Value>,
    /// Hosts: exact, `*.suffix`, or `*` for any.
    pub hosts: Vec<String>,
    /// Where a request names its tenant; without it the API has no tenants.
    pub tenant: Option<TenantFrom>,
    /// Default for the routes.
    pub authenticate: Option<Vec<MethodConfig>>,
    /// Default for the routes.
    pub authorize: Option<AuthorizeConfig>,
    /// Default for the routes.
    pub limit: Option<LimitList>,
    /// Default for the routes.
    pub shield: Option<ShieldConfig>,
    /// Default for the routes.
    pub path: Option<PathConfig>,
    /// Default for the routes.
    pub preflight: Option<Preflight>,
    /// Default for the routes.
    pub plaintext_credentials: Option<PlaintextCredentials>,
    /// Default for the routes.
    pub respond: Option<RespondConfig>,
    /// Default for the routes.
    pub log: Option<LogConfig>,
    /// Default for the routes.
    pub on_error: Option<OnError>,
    /// The routes.
    pub routes: Vec<RouteConfig>,
}

/// A route. What it does not say is taken from its API; what neither says is closed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// Name; `<api>.<index>` when absent.
    pub name: Option<String>,
    /// Which requests it is for.
    #[serde(rename = "match")]
    pub matches: MatchConfig,
    /// Attributes, laid over those of the API.
    pub attributes: Map<String, Value>,
    /// Accepted credentials in order; `anonymous` has to be written.
    pub authenticate: Option<Vec<MethodConfig>>,
    /// What the principal needs.
    pub authorize: Option<AuthorizeConfig>,
    /// How much the principal may.
    pub limit: Option<LimitList>,
    /// Cheap limits before authentication.
    pub shield: Option<ShieldConfig>,
    /// How paths that are not in normal form are treated.
    pub path: Option<PathConfig>,
    /// CORS preflights: `authenticate` or `pass`.
    pub preflight: Option<Preflight>,
    /// Credentials over clear text: `refuse` or `accept`.
    pub plaintext_credentials: Option<PlaintextCredentials>,
    /// What changes in a request that goes on.
    pub respond: Option<RespondConfig>,
    /// Which decisions are logged.
    pub log: Option<LogConfig>,
    /// What happens when a dependency of Gatehouse is lost.
    pub on_error: Option<OnError>,
}

/// Which requests a route is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MatchConfig {
    /// Path: `/exact`, `/a/{name}`, or `/a/**` for `/a` and everything below.
    pub path: String,
    /// Methods; empty for any.
    pub methods: Vec<String>,
    /// Headers that must be as said.
    pub headers: Vec<HeaderMatchConfig>,
}

/// A header that must be as said. Exactly one of `exact`, `prefix`, `present` and `absent`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderMatchConfig {
    /// Name of the header.
    pub name: String,
    /// The value, in full.
    pub exact: Option<String>,
    /// The beginning of the value.
    pub prefix: Option<String>,
    /// `true`: the header is there.
    pub present: Option<bool>,
    /// `true`: the header is not there.
    pub absent: Option<bool>,
}

/// A header predicate in compiled form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderPredicateConfig {
    /// Equal to.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// There.
    Present,
    /// Not there.
    Absent,
}

/// Where a request names its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantFrom {
    /// The first label of the host.
    Host,
    /// The path capture `{tenant}`.
    Path,
    /// A header.
    Header(String),
}

/// What the principal needs. All that is written must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizeConfig {
    /// Every one of these scopes.
    pub scopes: Vec<String>,
    /// At least one of these scopes.
    pub any_scope: Vec<String>,
    /// Every one of these roles.
    pub roles: Vec<String>,
    /// At least one of these roles.
    pub any_role: Vec<String>,
    /// Every one of these permissions, through the table `roles`.
    pub permissions: Vec<String>,
    /// A Rego rule, for example `data.orders.allow`, or a choice among several.
    pub rego: Option<RegoConfig>,
}

/// Which Rego rule decides. `bundle:data.package.rule` is a rule of an isolated bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RegoConfig {
    /// Always this one.
    Rule(String),
    /// One of several, by something about the request.
    Select(SelectConfig),
}

/// A choice of a rule by the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectConfig {
    /// What is looked up, with `{…}` for parts of the request: `{tenant}`, `{host}`, or `{context.policy}` for a value of
    /// Envoy's `context_extensions`.
    pub select: String,
    /// Rules by what is looked up. A request for which there is none is denied.
    pub rules: BTreeMap<String, String>,
}

impl RegoConfig {
    /// Every rule that may decide, with where it stands below `at`.
    pub(crate) fn rules<'a>(&'a self, at: &'a Path) -> Box<dyn Iterator<Item = (&'a String, Path)> + 'a> {
        match self {
            Self::Rule(rule) => Box::new(std::iter::once((rule, at.clone()))),
            Self::Select(SelectConfig { rules, .. }) => {
                Box::new(rules.iter().map(|(name, rule)| (rule, at.key("rules").key(name.as_str()))))
            }
        }
    }
}

/// How paths that are not in normal form are treated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PathConfig {
    /// `refuse` with 400, or `overwrite` `:path` with the normal form.
    pub when_not_normal: NotNormal,
    /// What may stand in a path although it is dangerous for many upstreams.
    pub allow: Vec<PathAllowance>,
}

/// See [`PathConfig::when_not_normal`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotNormal {
    /// 400.
    #[default]
    Refuse,
    /// The upstream gets the normal form.
    Overwrite,
}

/// See [`PathConfig::allow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathAllowance {
    /// `%2F`; it stays encoded and part of its segment.
    EncodedSlash,
    /// `\` and `%5C`.
    Backslash,
    /// `%00`.
    Nul,
    /// Escapes that do not decode to UTF-8.
    InvalidUtf8,
}

/// What happens to a CORS preflight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preflight {
    /// It needs a credential like any request, and `anonymous` does not count.
    #[default]
    Authenticate,
    /// It passes without a credential and without asking policies.
    Pass,
}

/// Credentials over clear text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaintextCredentials {
    /// 400.
    #[default]
    Refuse,
    /// For loopback and meshes that encrypt below HTTP.
    Accept,
}

/// Which decisions are logged at level `info`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogConfig {
    /// Denials and errors.
    #[default]
    Denials,
    /// Every decision.
    All,
}

/// What happens when a dependency of Gatehouse is lost. Denials are never affected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The answer is an error; Envoy's failure mode decides.
    #[default]
    Deny,
    /// The request goes on; logged and counted.
    Allow,
}

/// What changes in a request that goes on. Values are templates: `{principal.subject}`, `{tenant}`, `{path.id}`, …
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RespondConfig {
    /// Request headers for the upstream; a client can never set these itself.
    pub request_headers: BTreeMap<String, String>,
    /// Request headers taken away.
    pub remove_request_headers: Vec<String>,
    /// Headers for the client.
    pub response_headers: BTreeMap<String, String>,
    /// Dynamic metadata under Envoy's ext_authz namespace; always text.
    pub metadata: BTreeMap<String, String>,
    /// Query edits.
    pub query: QueryConfig,
}

/// Query edits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueryConfig {
    /// Parameters to set.
    pub set: BTreeMap<String, String>,
    /// Parameters to take away.
    pub remove: Vec<String>,
}
