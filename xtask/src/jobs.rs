//! Jobs that take long and run by name: benchmarks, fuzzing, coverage.

use std::process::Command;

use anyhow::bail;

use crate::steps::{Steps, cargo, has_cargo_command, repository, target};

/// `cargo xtask bench`
pub(crate) fn bench(steps: &Steps, arguments: &[String]) -> anyhow::Result<()> {
    let mut build = cargo(&["build", "--release", "--package", "gatehouse", "--package", "benches"]);
    steps.run("building for release (some minutes when nothing is built yet)", &mut build)?;
    let mut bench = Command::new(target().join("release/bench"));
    steps.run("measuring", bench.args(arguments).current_dir(repository()))
}

/// `cargo xtask fuzz`
pub(crate) fn fuzz(steps: &Steps, seconds: u64, target: Option<&str>) -> anyhow::Result<()> {
    let mut command = cargo(&["run", "--profile", "fuzzing", "--package", "fuzz", "--"]);
    command.args(["--seconds", &seconds.to_string()]);
    if let Some(target) = target {
        command.arg(target);
    }
    steps.run("fuzzing (release build first)", &mut command)
}

/// `cargo xtask differential`
pub(crate) fn differential(steps: &Steps, messages: u64) -> anyhow::Result<()> {
    let mut command = cargo(&["test", "--release", "--package", "gateway", "--lib", "--", "--ignored", "ten_million"]);
    command.env("GATEHOUSE_FUZZ_CASES", messages.to_string());
    steps.run("our index over check requests against prost (release build first)", &mut command)
}

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
