//! The section `ratelimit`, and the limit as a route writes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ::config::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rate::Rate;
use crate::rls::{DescriptorTree, load_descriptors};

/// Tiers, descriptors and the counters behind them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Named sets of rates; a route charges all rates of a tier together.
    pub tiers: BTreeMap<String, Vec<Rate>>,
    /// A file or folder in the form of envoyproxy/ratelimit, for the rate limit service.
    pub descriptors: Option<PathBuf>,
    /// Headers of the answers of the rate limit service, for the client; none unless named here.
    pub response_headers: ResponseHeadersConfig,
    /// The most counters in memory. When all of them still count, a new one is refused.
    pub max_keys: u64,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            tiers: BTreeMap::new(),
            descriptors: None,
            response_headers: ResponseHeadersConfig::default(),
            max_keys: 1_000_000,
        }
    }
}

/// The three headers of `draft-ietf-httpapi-ratelimit-headers-03`, which describe the limit that is nearest to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseHeadersConfig {
    /// Whether they are sent.
    pub enabled: bool,
    /// Name of the header with the limit's requests per unit.
    pub limit: String,
    /// Name of the header with the requests that are left.
    pub remaining: String,
    /// Name of the header with the seconds until the limit starts anew.
    pub reset: String,
}

impl Default for ResponseHeadersConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            limit: "RateLimit-Limit".to_owned(),
            remaining: "RateLimit-Remaining".to_owned(),
            reset: "RateLimit-Reset".to_owned(),
        }
    }
}

impl ResponseHeadersConfig {
    fn check(&self, at: &Path, problems: &mut Problems) {
        for (key, name) in [("limit", &self.limit), ("remaining", &self.remaining), ("reset", &self.reset)] {
            // RFC 9110 §5.1
            let token =
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
            if !token {
                problems.error(&at.key(key), format!("`{name}` is no header name"));
            }
        }
    }
}

impl RateLimitConfig {
    /// Takes relative file names as relative to `base`.
    pub fn resolve_paths(&mut self, base: &std::path::Path) {
        if let Some(path) = &mut self.descriptors {
            *path = base.join(&*path);
        }
    }

    /// Checks the tiers and loads the descriptors. All problems are collected; with an error among them the result serves only to
    /// check the routes.
    pub fn compile(&self, at: &Path, problems: &mut Problems) -> RateLimits {
        for (name, rates) in &self.tiers {
            if rates.is_empty() {
                problems.error(&at.key("tiers").key(name), "a tier has at least one rate, such as 30/minute");
            }
        }
        self.response_headers.check(&at.key("response_headers"), problems);
        if self.max_keys == 0 {
            problems.error(&at.key("max_keys"), "at least 1");
        }
        let tree = self.descriptors.as_ref().and_then(|path| load_descriptors(path, &at.key("descriptors"), problems));
        RateLimits {
            tiers: self.tiers.clone(),
            descriptors: tree.unwrap_or_default(),
            response_headers: self.response_headers.enabled.then(|| self.response_headers.clone()),
        }
    }
}

/// The compiled section.
#[derive(Debug, Default)]
pub struct RateLimits {
    tiers: BTreeMap<String, Vec<Rate>>,
    descriptors: DescriptorTree,
    /// `None` when they are off.
    pub(crate) response_headers: Option<ResponseHeadersConfig>,
}

impl RateLimits {
    /// The rates of a tier.
    pub fn tier(&self, name: &str) -> Option<&[Rate]> {
        self.tiers.get(name).map(Vec::as_slice)
    }

    /// The names of all tiers.
    pub fn tier_names(&self) -> impl Iterator<Item = &str> {
        self.tiers.keys().map(String::as_str)
    }

    /// The descriptors of the rate limit service.
    pub const fn descriptors(&self) -> &DescriptorTree {
        &self.descriptors
    }
}

/// A limit as a route writes it: either a `tier` or `rates`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Name; limits of one name share their counters across routes.
    pub name: Option<String>,
    /// A tier of `ratelimit.tiers`; may be a template such as `{principal.tier}`.
    pub tier: Option<String>,
    /// Rates, all of which must hold.
    pub rates: Vec<Rate>,
    /// How it counts.
    pub algorithm: AlgorithmConfig,
    /// Token bucket: how many requests may come at once; by default as many as the rate has.
    pub burst: Option<u64>,
    /// What has a counter of its own.
    pub per: PerConfig,
    /// What happens when the key or tier is missing.
    pub missing: MissingKey,
}

/// How a limit counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmConfig {
    /// Tokens come back evenly; a burst may use all at once.
    #[default]
    TokenBucket,
    /// So many per window; windows are aligned to the clock.
    FixedWindow,
}

/// What has a counter of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerConfig {
    /// Each authenticated principal.
    #[default]
    Principal,
    /// Each tenant.
    Tenant,
    /// Each client address.
    ClientAddress,
    /// The route as a whole.
    Route,
    /// Each value of a header.
    Header(String),
}

/// What happens when there is no key, or no such tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingKey {
    /// The request is denied.
    #[default]
    Deny,
    /// The client's address is the key. An unknown tier is denied all the same.
    Address,
}
