//! The `policy` section of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::{Path, Period, Problems, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http_send::HttpSendConfig;
use crate::set::PolicySet;

/// Rego policies: where they are and what one evaluation may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// Folders of `.rego` and data files, by a name of your choice. Those that are not isolated form one policy set: a rule or
    /// data value may be defined by one of them only.
    pub bundles: BTreeMap<String, BundleConfig>,
    /// The longest that one evaluation may take; the request is denied when it takes longer.
    pub timeout: Period,
    /// How many instructions of the policy machine one evaluation may run.
    pub max_instructions: u64,
    /// Whom policies may ask with `http.send`. Off unless hosts are listed.
    pub http_send: HttpSendConfig,
    /// Decisions that are kept and given again to requests that are alike in everything the policy can read.
    pub decision_cache: DecisionCacheConfig,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            bundles: BTreeMap::new(),
            timeout: Period::millis(10),
            max_instructions: 1_000_000,
            http_send: HttpSendConfig::default(),
            decision_cache: DecisionCacheConfig::default(),
        }
    }
}

/// One folder of policies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleConfig {
    /// The folder. Holds `.rego` files at any depth, and `data.json` or `data.yaml` files, which are mounted at
    /// their folder's path under `data`.
    pub path: PathBuf,
    /// Whether it stands alone: its policies see its own data only, and no others see it. Routes name its rules as
    /// `<bundle>:data.package.rule`.
    #[serde(default)]
    pub isolated: bool,
}

/// The decision cache. Only decisions of pure policies are kept (no time, randomness or network).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionCacheConfig {
    /// Whether decisions are kept at all. Turning it off changes no answer.
    pub enabled: bool,
    /// The most memory that kept decisions may take, over all worker threads.
    pub size: Size,
    /// How long a decision may be kept, at most five minutes.
    pub max_age: Period,
}

impl Default for DecisionCacheConfig {
    fn default() -> Self {
        Self { enabled: true, size: Size(16 << 20), max_age: Period::secs(60) }
    }
}

/// One use of a rule in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPointUse {
    /// The rule or package: `data.orders.allow`.
    pub rule: String,
    /// Where the configuration names it.
    pub at: Path,
}

impl PolicyConfig {
    /// Makes relative paths relative to `base`.
    pub fn resolve_paths(&mut self, base: &std::path::Path) {
        for bundle in self.bundles.values_mut() {
            if bundle.path.is_relative() {
                bundle.path = base.join(&bundle.path);
            }
        }
    }

    /// Loads, checks and compiles all policies. `at` is the path of this section; `entry_points` are the rules that
    /// the rest of the configuration uses. All problems are collected; `None` when there was any error.
    pub fn compile(&self, at: &Path, problems: &mut Problems, entry_points: &[EntryPointUse]) -> Option<PolicySet> {
        PolicySet::compile(self, at, problems, entry_points)
    }
}
