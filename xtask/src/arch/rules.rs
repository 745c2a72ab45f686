//! The rules of docs/ARCHITECTURE.md as tables.

use super::Package;

/// A crate may depend only on crates of a lower level; crates of one level never depend on each other.
const LEVELS: &[(&str, u8)] = &[
    ("model", 0),
    ("crypto", 1),
    ("net", 1),
    ("config", 1),
    ("authn", 2),
    ("policy", 2),
    ("ratelimit", 2),
    ("telemetry", 2),
    ("pipeline", 4),
    ("gateway", 5),
    ("settings", 6),
    ("gatehouse", 7),
];

/// Outside the levels: automation, tests and benchmarks. They may use what an owner pins, except automation.
const OUTSIDE: &[&str] = &["xtask", "tests", "benches", "fuzz"];

/// Heavy dependencies and the crate that owns each. A name that ends in `*` stands for all that begin so.
const OWNERS: &[(&str, &[&str], &str)] = &[
    ("envoy-types", &["gateway"], "only `gateway` sees Envoy's protobuf types"),
    ("prost-reflect", &["policy"], "only `policy` reads bodies by their descriptors"),
    ("prost*", &["gateway"], "only `gateway` sees protobuf"),
    ("tonic*", &["gateway"], "only `gateway` knows tonic"),
    ("aws-lc-rs", &["crypto"], "only `crypto` calls crypto primitives"),
    ("jsonwebtoken", &["crypto"], "only `crypto` calls crypto primitives"),
    ("reqwest", &["net"], "everything that fetches uses `net`"),
    ("regorus", &["policy"], "only `policy` knows Rego"),
    ("opentelemetry*", &["telemetry"], "only `telemetry` knows where spans go"),
    ("prometheus-client", &["telemetry"], "only `telemetry` knows the registry"),
];

/// Every broken rule, in words that say what to do.
pub(super) fn problems(packages: &[Package], map: &str) -> Vec<String> {
    packages.iter().flat_map(|package| problems_of(package, packages, map)).collect()
}

fn problems_of(package: &Package, all: &[Package], map: &str) -> Vec<String> {
    let name = &package.name;
    let mut found = Vec::new();
    if package.folder != *name {
        found.push(format!("{name}: its folder is called {}; folder and package have one name", package.folder));
    }
    // libFuzzer's entry point cannot be had without what the workspace forbids.
    if name != "fuzz" && !inherits_lints(&package.manifest) {
        found.push(format!("{name}: Cargo.toml lacks `[lints] workspace = true`"));
    }
    if package.has_build_script {
        found.push(format!("{name}: has a build script; generated code is committed, see `cargo xtask gen`"));
    }
    if !map.contains(&format!("`{name}`")) {
        found.push(format!("{name}: docs/ARCHITECTURE.md does not mention it"));
    }
    found.extend(broken_levels(package, all));
    // Tests may sign tokens or speak gRPC; what is shipped may not.
    found.extend(package.shipped.iter().filter_map(|dependency| broken_ownership(name, dependency)));
    found
}

fn broken_levels(package: &Package, all: &[Package]) -> Vec<String> {
    let name = &package.name;
    let is_ours = |dependency: &&String| all.iter().any(|package| package.name == **dependency);
    if OUTSIDE.contains(&name.as_str()) {
        let ours = package.dependencies.iter().filter(is_ours).filter(|_| name == "xtask");
        return ours
            .map(|dependency| format!("xtask: depends on {dependency}; it depends on nothing of ours"))
            .collect();
    }
    let Some(level) = level(name) else {
        return vec![format!("{name}: has no level; decide where it belongs, then add it to xtask/src/arch/rules.rs")];
    };
    let broken = |dependency: &String| match self::level(dependency) {
        Some(lower) if lower < level => None,
        Some(other) => {
            Some(format!("{name} (level {level}): depends on {dependency} (level {other}), which is not lower"))
        }
        None => Some(format!("{name}: depends on {dependency}, which has no level")),
    };
    package.dependencies.iter().filter(is_ours).filter_map(broken).collect()
}

fn broken_ownership(name: &str, dependency: &str) -> Option<String> {
    let (_, owners, why) = OWNERS.iter().find(|(pattern, _, _)| matches(pattern, dependency))?;
    let test_code = ["tests", "benches", "fuzz"].contains(&name);
    let owned = owners.contains(&name) || test_code;
    (!owned).then(|| format!("{name}: depends on {dependency}; {why}"))
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

fn level(name: &str) -> Option<u8> {
    LEVELS.iter().find(|(listed, _)| *listed == name).map(|(_, level)| *level)
}

fn inherits_lints(manifest: &str) -> bool {
    let after = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    after.take_while(|line| !line.starts_with('[')).any(|line| line.replace(' ', "") == "workspace=true")
}
