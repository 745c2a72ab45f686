//! The architecture check: levels of crates, owners of heavy dependencies, lints everywhere.

mod rules;

#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::steps::{Steps, cargo, repository};

/// One package of the workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: String,
    pub(crate) manifest: String,
    pub(crate) has_build_script: bool,
    /// Everything it names, for its tests too.
    pub(crate) dependencies: Vec<String>,
    /// Without those that only its tests use.
    pub(crate) shipped: Vec<String>,
}

/// `cargo xtask check-arch`
pub(crate) fn check(steps: &Steps) -> anyhow::Result<()> {
    steps.say("architecture");
    let json = steps.output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]))?;
    let metadata: Value = serde_json::from_slice(&json).context("cargo metadata is no JSON")?;
    let packages = packages(&metadata)?;
    let map = repository().join("docs/ARCHITECTURE.md");
    let map = std::fs::read_to_string(&map).with_context(|| format!("cannot read {}", map.display()))?;
    let problems = rules::problems(&packages, &map);
    if problems.is_empty() {
        steps.say(&format!("architecture: {} packages keep the rules", packages.len()));
        return Ok(());
    }
    for problem in &problems {
        steps.say(&format!("  {problem}"));
    }
    bail!("the architecture has {} problems; the rules are in xtask/src/arch/rules.rs", problems.len())
}

fn packages(metadata: &Value) -> anyhow::Result<Vec<Package>> {
    let all = metadata.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
    all.iter().map(package).collect()
}

fn package(package: &Value) -> anyhow::Result<Package> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let path = text(package, "manifest_path");
    let list = |key: &str| package.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let folder = Path::new(&path).parent().and_then(Path::file_name).unwrap_or_default();
    let dependencies = list("dependencies");
    let shipped = |dependency: &&Value| text(dependency, "kind") != "dev";
    Ok(Package {
        name: text(package, "name"),
        folder: folder.to_string_lossy().into_owned(),
        manifest: std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?,
        has_build_script: list("targets").iter().any(|target| target.to_string().contains("custom-build")),
        shipped: dependencies.iter().filter(shipped).map(|dependency| text(dependency, "name")).collect(),
        dependencies: dependencies.iter().map(|dependency| text(dependency, "name")).collect(),
    })
}
