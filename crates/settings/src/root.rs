//! The outermost keys of the configuration.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `apiVersion` has to say.
pub const API_VERSION: &str = "gatehouse/v1";

/// The configuration of Gatehouse. What is not said is off or closed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The version of this format: `gatehouse/v1`. Has to be there.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// Where Gatehouse listens, and how much it takes on.
    pub server: gateway::ServerConfig,
    /// Logs, spans and metrics.
    pub telemetry: telemetry::TelemetryConfig,
    /// Whose tokens are accepted, and how they are verified.
    pub authn: authn::AuthnConfig,
    /// Rego policies.
    pub policy: policy::PolicyConfig,
    /// Tiers, descriptors and the counters behind them.
    pub ratelimit: ratelimit::RateLimitConfig,
    /// How the client's address is found behind other proxies.
    pub client_address: pipeline::ClientAddressConfig,
    /// The tenants that exist.
    pub tenants: pipeline::TenantsConfig,
    /// Roles and the permissions they carry.
    pub roles: BTreeMap<String, pipeline::RoleConfig>,
    /// Cheap limits for all routes that say nothing else.
    pub shield: pipeline::ShieldConfig,
    /// The APIs behind Envoy with their routes.
    pub apis: Vec<pipeline::ApiConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            server: gateway::ServerConfig::default(),
            telemetry: telemetry::TelemetryConfig::default(),
            authn: authn::AuthnConfig::default(),
            policy: policy::PolicyConfig::default(),
            ratelimit: ratelimit::RateLimitConfig::default(),
            client_address: pipeline::ClientAddressConfig::default(),
            tenants: pipeline::TenantsConfig::default(),
            roles: BTreeMap::new(),
            shield: pipeline::ShieldConfig::default(),
            apis: Vec::new(),
        }
    }
}

impl Config {
    /// Takes relative file names as relative to `base`, the folder of the configuration.
    pub(crate) fn resolve_paths(&mut self, base: &FilePath) {
        self.server.resolve_paths(base);
        self.telemetry.resolve_paths(base);
        self.authn.resolve_paths(base);
        self.policy.resolve_paths(base);
        self.ratelimit.resolve_paths(base);
    }
}
