//! Jobs that take long and run by name: fuzzing, comparisons, coverage.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::peers;
use crate::steps::{Steps, cargo, has_cargo_command, target};

/// `cargo xtask fuzz`
pub(crate) fn fuzz(steps: &Steps, seconds: u64, target: Option<&str>) -> anyhow::Result<()> {
    let mut command = cargo(&["run", "--profile", "fuzzing", "--package", "fuzz", "--"]);
    command.args(["--seconds", &seconds.to_string()]);
    if let Some(target) = target {
        command.arg(target);
    }
    steps.run("fuzzing (release build first)", &mut command)
}

/// What is given random inputs.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Differential {
    /// Our index over check requests, and prost
    #[default]
    Check,
    /// Random policies, on both machines and in OPA
    Rego,
}

/// `cargo xtask differential`
pub(crate) fn differential(steps: &Steps, messages: u64) -> anyhow::Result<()> {
    let mut command = cargo(&["test", "--release", "--package", "gateway", "--lib", "--", "--ignored", "ten_million"]);
    command.env("GATEHOUSE_FUZZ_CASES", messages.to_string());
    steps.run("our index over check requests against prost (release build first)", &mut command)
}

/// `cargo xtask differential rego`
pub(crate) fn differential_rego(
    steps: &Steps,
    seconds: u64,
    seed: Option<u64>,
    opa: Option<&Path>,
) -> anyhow::Result<()> {
    let program = peers::opa_envoy(steps, opa)?;
    let test = "random_policies_mean_what_they_mean_to_opa";
    let mut command = cargo(&["test", "--package", "policy", "--lib", "--", "--ignored", "--nocapture", test]);
    command.env("GATEHOUSE_OPA", program).env("GATEHOUSE_SECONDS", seconds.to_string());
    if let Some(seed) = seed {
        command.env("GATEHOUSE_SEED", seed.to_string());
    }
    steps.run("random policies against OPA", &mut command)
}

/// What Gatehouse is compared with.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Peer {
    /// opa-envoy-plugin
    Opa,
}

/// `cargo xtask diff`
pub(crate) fn diff(steps: &Steps, peer: Peer, plugin: Option<&Path>, print: Option<&str>) -> anyhow::Result<()> {
    let Peer::Opa = peer;
    let program = peers::opa_envoy(steps, plugin)?;
    let envoy = crate::provision::envoy(steps)?;
    crate::product::build(steps)?;
    let mut command = cargo(&["test", "--package", "tests", "--test", "it", "--", "--ignored", "--nocapture"]);
    command.env("OPA_ENVOY", program).env("ENVOY", envoy).env("GATEHOUSE_BIN", target().join("debug/gatehouse"));
    match print {
        Some(file) => command.arg("opa_plugin::print_answers").env("OPA_CASES", file),
        None => command.args([
            "opa_plugin::the_plugin_and_gatehouse_say_the_same",
            "opa_drop_in::the_deployment_works_with_the_plugin",
        ]),
    };
    steps.run("asking the plugin and Gatehouse the same", &mut command)
}

/// A published suite.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Suite {
    /// OPA's compliance cases
    Rego,
}

/// `cargo xtask conformance`
pub(crate) fn conformance(steps: &Steps, suite: Suite, only: Option<&str>, out: Option<&Path>) -> anyhow::Result<()> {
    match suite {
        Suite::Rego => rego(steps, only, out),
    }
}

/// The module holds nothing of ours: Go's own client fetches it, checks its sum and keeps it in its cache.
fn rego(steps: &Steps, only: Option<&str>, out: Option<&Path>) -> anyhow::Result<()> {
    steps.say(&format!("fetching {OPA_MODULE}"));
    let mut fetch = Command::new("go");
    let fetched =
        steps.output(fetch.args(["mod", "download", "-json", OPA_MODULE])).context("Go is needed for this job")?;
    let module: serde_json::Value = serde_json::from_slice(&fetched).context("go mod download printed no JSON")?;
    let text = |name: &str| module.get(name).and_then(serde_json::Value::as_str);
    if text("Sum") != Some(OPA_SUM) {
        bail!("{OPA_MODULE} has the sum {}, not {OPA_SUM}", text("Sum").unwrap_or_default());
    }
    let folder = text("Dir").context("go mod download named no folder")?;
    let mut command = cargo(&["test", "--package", "policy", "--lib", "--", "--ignored", "--nocapture", "opa_cases"]);
    command.env("GATEHOUSE_OPA_CASES", Path::new(folder).join("v1/test/cases/testdata"));
    for (name, value) in [
        ("GATEHOUSE_OPA_ONLY", only.map(std::ffi::OsStr::new)),
        ("GATEHOUSE_CONFORMANCE_OUT", out.map(Path::as_os_str)),
    ] {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    steps.run("OPA's cases on both machines", &mut command)
}

const OPA_MODULE: &str = "github.com/open-policy-agent/opa@v1.22.0";
const OPA_SUM: &str = "h1:CwxTSHfk5GmA1CaySVWyxRvggY2xZYxKL6bhDuWOCuU=";

/// `cargo xtask coverage`
pub(crate) fn coverage(steps: &Steps) -> anyhow::Result<()> {
    if !has_cargo_command("tarpaulin") {
        bail!("coverage needs cargo-tarpaulin: cargo install cargo-tarpaulin");
    }
    let mut command = cargo(&[
        "tarpaulin",
        "--workspace",
        "--exclude",
        "tests",
        "--exclude",
        "benches",
        "--exclude",
        "xtask",
        "--exclude",
        "fuzz",
    ]);
    command.args(["--engine", "ptrace", "--skip-clean", "--out", "Xml", "--output-dir"]);
    command.arg(target().join("coverage"));
    steps.run("coverage", &mut command)
}
