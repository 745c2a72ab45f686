//! Sections beside `apis`.

use std::collections::BTreeMap;

use config::Size;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::LimitList;

/// How the client's address is found when other proxies stand before Envoy. Without either key it is the address
/// that Envoy states (`source.address`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientAddressConfig {
    /// How many proxies before Envoy's peer are ours: so many entries of `x-forwarded-for`, from the right, are believed.
    pub trusted_hops: u8,
    /// Networks of our proxies: entries of `x-forwarded-for` are believed, from the right, as long as they are in one of these.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
}

/// The tenants that exist, by name.
pub type TenantsConfig = BTreeMap<String, TenantConfig>;

/// One tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantConfig {
    /// Further names under which requests may name it.
    pub aliases: Vec<String>,
}

/// What a role may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RoleConfig {
    /// Permissions such as `orders:read`; `orders:*` stands for all that begin with `orders:`, `*` for all.
    pub permissions: Vec<String>,
    /// Roles whose permissions it also has.
    pub inherits: Vec<String>,
}

/// Cheap limits that protect the costly stages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ShieldConfig {
    /// The most headers that a request may have.
    pub max_headers: usize,
    /// The most bytes of header names and values.
    pub max_header_bytes: Size,
    /// The largest body, as far as Envoy states its size.
    pub max_body: Size,
    /// Methods that may pass; empty for all.
    pub methods: Vec<String>,
    /// Hosts that may pass (exact or `*.suffix`); empty for all that have a route.
    pub hosts: Vec<String>,
    /// Limits that need no identity: `per` is `client_address`, `route` or a header.
    pub limit: LimitList,
}

impl Default for ShieldConfig {
    fn default() -> Self {
        Self {
            max_headers: 100,
            max_header_bytes: Size(64 * 1024),
            max_body: Size(10 * 1024 * 1024),
            methods: Vec::new(),
            hosts: Vec::new(),
            limit: LimitList::default(),
        }
    }
}
