//! From a typed configuration to what runs.

use std::path::PathBuf;

use authn::KeyRing;
use config::{Path, Problems, Report};
use gateway::ServerPlan;
use gateway::config::Service;
use pipeline::{PipelineConfig, Snapshot, SnapshotParts};

use crate::compliance;
use crate::load::Loaded;
use crate::root::{API_VERSION, Config};

/// Everything that a configuration means.
pub struct Built {
    /// What requests are decided by.
    pub snapshot: Snapshot,
    /// Where to listen.
    pub plan: ServerPlan,
    /// Warnings; no errors.
    pub report: Report,
    /// Every file and folder that the result depends on, the configuration included.
    pub files: Vec<PathBuf>,
}

/// Compiles all sections and checks them against each other.
///
/// # Errors
/// Every problem at once, those of [`load`](crate::load()) included.
pub fn build(loaded: &Loaded, keys: &KeyRing, generation: u64) -> Result<Built, Report> {
    let mut problems = Problems::new();
    let compiled = compile(loaded, keys, generation, &mut problems);
    let report = loaded.document.report(&problems);
    match compiled {
        Some((snapshot, plan)) if report.is_ok() => Ok(Built { snapshot, plan, report, files: watched(loaded) }),
        Some(_) | None => Err(report),
    }
}

fn compile(
    loaded: &Loaded,
    keys: &KeyRing,
    generation: u64,
    problems: &mut Problems,
) -> Option<(Snapshot, ServerPlan)> {
    let config = &loaded.config;
    let root = Path::root();
    check_version(loaded, problems);
    compliance::check(&config.apis, &root.key("apis"), problems);
    let plan = config.server.compile(&root.key("server"), problems);
    config.telemetry.check(&root.key("telemetry"), problems);
    let routes = pipeline_config(config);
    let authenticator = config.authn.compile(&root.key("authn"), problems, keys);
    let policy = config.policy.compile(&root.key("policy"), problems, &routes.entry_points());
    let limits = config.ratelimit.compile(&root.key("ratelimit"), problems);
    warn_of_no_descriptors(config, &root, problems);
    let parts = SnapshotParts { generation, authenticator, policy, limits };
    let snapshot = pipeline::compile(&routes, parts, problems);
    Some((snapshot?, plan?))
}

/// The rate limit service lets everything pass that no descriptor is about.
fn warn_of_no_descriptors(config: &Config, root: &Path, problems: &mut Problems) {
    for (i, listener) in config.server.listeners.iter().enumerate() {
        if config.ratelimit.descriptors.is_none() && listener.serves.contains(&Service::Ratelimit) {
            let at = root.key("server").key("listeners").index(i).key("serves");
            problems
                .warn(&at, "`ratelimit` is served, and limits nothing: name descriptors in `ratelimit.descriptors`");
        }
    }
}

fn check_version(loaded: &Loaded, problems: &mut Problems) {
    let at = Path::root().key("apiVersion");
    if !loaded.document.says("apiVersion") {
        problems.error(&at, format!("missing: write `apiVersion: {API_VERSION}`"));
    } else if loaded.config.api_version != API_VERSION {
        problems.error(&at, format!("unknown version: this Gatehouse reads `{API_VERSION}`"));
    }
}

fn pipeline_config(config: &Config) -> PipelineConfig<'_> {
    PipelineConfig {
        client_address: &config.client_address,
        tenants: &config.tenants,
        roles: &config.roles,
        shield: &config.shield,
        apis: &config.apis,
    }
}

/// What to watch for a reload. Certificates are the gateway's, which swaps them without a reload.
fn watched(loaded: &Loaded) -> Vec<PathBuf> {
    let config = &loaded.config;
    let mut files = loaded.watch_paths();
    files.extend(config.policy.bundles.values().map(|b| b.path.clone()));
    files.extend(config.ratelimit.descriptors.clone());
    files.extend(config.authn.key_files());
    files
}
