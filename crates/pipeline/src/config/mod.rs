//! What the configuration says about APIs and routes.

mod api;
mod global;
mod limits;

pub(crate) use api::HeaderPredicateConfig;
pub use api::{
    ApiConfig, AuthorizeConfig, HeaderMatchConfig, LogConfig, MatchConfig, NotNormal, OnError, PathAllowance,
    PathConfig, PlaintextCredentials, Preflight, QueryConfig, RegoConfig, RespondConfig, RouteConfig, SelectConfig,
    TenantFrom,
};
pub use global::{ClientAddressConfig, RoleConfig, ShieldConfig, TenantConfig, TenantsConfig};
pub use limits::LimitList;

use std::collections::BTreeMap;

use config::Path;
use policy::EntryPointUse;

/// The sections that the pipeline compiles.
pub struct PipelineConfig<'a> {
    /// How the client's address is found.
    pub client_address: &'a ClientAddressConfig,
    /// The tenants that exist.
    pub tenants: &'a TenantsConfig,
    /// Roles and their permissions.
    pub roles: &'a BTreeMap<String, RoleConfig>,
    /// Defaults of the shield.
    pub shield: &'a ShieldConfig,
    /// APIs with their routes.
    pub apis: &'a [ApiConfig],
}

impl PipelineConfig<'_> {
    /// Every Rego rule that a route asks, with the place that names it.
    pub fn entry_points(&self) -> Vec<EntryPointUse> {
        let mut uses = Vec::new();
        let mut add = |authorize: Option<&AuthorizeConfig>, at: Path| {
            let at = at.key("authorize").key("rego");
            let rules = authorize.and_then(|a| a.rego.as_ref()).into_iter().flat_map(|rego| rego.rules(&at));
            uses.extend(rules.map(|(rule, at)| EntryPointUse { rule: rule.clone(), at }));
        };
        for (i, api) in self.apis.iter().enumerate() {
            let at = Path::root().key("apis").index(i);
            add(api.authorize.as_ref(), at.clone());
            for (j, route) in api.routes.iter().enumerate() {
                add(route.authorize.as_ref(), at.key("routes").index(j));
            }
        }
        uses
    }
}
