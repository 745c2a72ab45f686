//! From what is written to what decides: every route compiled, every problem collected.

mod limits;
mod respond;
mod route;

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Path, Problems};
use hashbrown::{HashMap, HashSet};

use crate::config::{PipelineConfig, TenantsConfig};
use crate::roles::RoleTable;
use crate::router::{Candidate, Pattern, Router};
use crate::snapshot::{Hops, OwnedHeaders, Route, Snapshot, SnapshotParts};

/// Headers that make some upstreams see another method, path or caller than the one decided on.
const OVERRIDES: [&str; 9] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-rewrite-url",
    "x-override-url",
    "x-forwarded-user",
];

/// Compiles the pipeline. All problems are collected; the result is there only when there are none.
pub fn compile(config: &PipelineConfig<'_>, parts: SnapshotParts, problems: &mut Problems) -> Option<Snapshot> {
    let root = Path::root();
    let roles = RoleTable::compile(config.roles, &root.key("roles"), problems);
    let tenants = tenants(config.tenants, &root.key("tenants"), problems);
    let mut builder = Builder {
        config,
        parts: &parts,
        roles: &roles,
        router: Router::default(),
        routes: Vec::new(),
        places: Vec::new(),
        owned: OVERRIDES.iter().map(|n| Box::from(*n)).collect(),
    };
    builder.apis(problems);
    let (router, routes, names) = (builder.router, builder.routes, builder.owned);
    if !problems.is_ok() {
        return None;
    }
    let lengths = names.iter().fold(0, |bits, name| if name.len() < 64 { bits | 1 << name.len() } else { bits });
    Some(Snapshot {
        generation: parts.generation,
        generation_text: parts.generation.to_string(),
        authenticator: parts.authenticator,
        policy: parts.policy?,
        limits: parts.limits,
        roles,
        router,
        routes,
        tenants,
        hops: Hops {
            count: usize::from(config.client_address.trusted_hops),
            proxies: config.client_address.trusted_proxies.clone(),
        },
        owned: OwnedHeaders { names, lengths },
    })
}

/// What routes are compiled with.
struct Builder<'a> {
    config: &'a PipelineConfig<'a>,
    parts: &'a SnapshotParts,
    roles: &'a RoleTable,
    router: Router,
    routes: Vec<Route>,
    /// Where each route stands, for messages about two of them.
    places: Vec<Path>,
    owned: HashSet<Box<str>, foldhash::fast::RandomState>,
}

impl Builder<'_> {
    fn apis(&mut self, problems: &mut Problems) {
        let mut names = BTreeMap::new();
        for (i, api) in self.config.apis.iter().enumerate() {
            let at = Path::root().key("apis").index(i);
            check_name(&api.name, &at.key("name"), problems);
            if let Some(other) = names.insert(api.name.clone(), at.clone()) {
                problems.error(&at.key("name"), format!("`{}` is the name of {other} too", api.name));
            }
            if api.hosts.is_empty() {
                problems.error(&at.key("hosts"), "missing: write the hosts of this API, or [\"*\"] for any");
            }
            if api.routes.is_empty() {
                problems.warn(&at.key("routes"), "this API has no routes: every request to it is denied");
            }
            let hosts: Vec<Option<String>> = api
                .hosts
                .iter()
                .enumerate()
                .map(|(h, host)| host_pattern(host, &at.key("hosts").index(h), problems))
                .collect();
            for (j, route) in api.routes.iter().enumerate() {
                let at = at.key("routes").index(j);
                if let Some((compiled, pattern, candidate)) = self.route(api, route, j, &at, problems) {
                    self.insert(&hosts, compiled, &pattern, &candidate, at, problems);
                }
            }
        }
    }

    fn insert(
        &mut self,
        hosts: &[Option<String>],
        route: Route,
        pattern: &Pattern,
        candidate: &Candidate,
        at: Path,
        problems: &mut Problems,
    ) {
        if let Some(other) = self.routes.iter().position(|r| r.name == route.name) {
            let place = self.places.get(other).map(ToString::to_string).unwrap_or_default();
            problems.error(&at.key("name"), format!("`{}` is the name of {place} too", route.name));
        }
        for host in hosts.iter().flatten() {
            if let Err(other) = self.router.insert(host, pattern, candidate.clone()) {
                let place = self.places.get(other).map(ToString::to_string).unwrap_or_default();
                problems.error(
                    &at.key("match"),
                    format!("could match the same requests to `{host}` as {place}, and neither goes first: tell them apart by path, methods or headers"),
                );
            }
        }
        self.places.push(at);
        self.routes.push(route);
    }
}

/// Names appear in headers, metrics and logs.
fn check_name(name: &str, at: &Path, problems: &mut Problems) {
    let fine = (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
    if !fine {
        problems.error(at, "a name has 1 to 128 letters, digits, `-`, `_`, `.` or `/`");
    }
}

fn host_pattern(host: &str, at: &Path, problems: &mut Problems) -> Option<String> {
    if host == "*" {
        return Some(host.to_owned());
    }
    let (star, name) = match host.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", host),
    };
    match crate::path::normalise_host(name) {
        Ok(normal) if normal == name => Some(format!("{star}{name}")),
        Ok(normal) => {
            problems.error(
                at,
                format!("`{host}` can never match: hosts are matched in normal form, here `{star}{normal}`"),
            );
            None
        }
        Err(fault) => {
            problems.error(at, format!("`{host}` is no host: {fault}; write a name, `*.suffix` or `*`"));
            None
        }
    }
}

fn tenants(
    config: &TenantsConfig,
    at: &Path,
    problems: &mut Problems,
) -> HashMap<String, Arc<str>, foldhash::fast::RandomState> {
    const MOST: usize = 100_000;
    let mut table: HashMap<String, Arc<str>, foldhash::fast::RandomState> = HashMap::default();
    if config.len() > MOST {
        problems.error(at, format!("more than {MOST} tenants"));
        return table;
    }
    for (name, tenant) in config {
        let id: Arc<str> = name.as_str().into();
        for alias in std::iter::once(name).chain(&tenant.aliases) {
            if let Some(other) = table.insert(alias.clone(), Arc::clone(&id)) {
                problems.error(&at.key(name), format!("`{alias}` already stands for tenant `{other}`"));
            }
        }
    }
    table
}
