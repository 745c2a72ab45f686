//! Benchmarks.

use std::path::PathBuf;
use std::process::Command;

use crate::peers;
use crate::steps::{Steps, cargo, repository, target};

/// What can be measured besides Gatehouse against the no-op server.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Other {
    /// Measure policies: Gatehouse in the place of opa-envoy-plugin, the plugin, and the no-op server
    ///
    /// Prints a table with ratios and goals and writes target/bench/policy.json. Takes the plugin as `cargo xtask diff opa` does.
    Policy(PolicyOptions),
}

/// The arguments of `cargo xtask bench policy`.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyOptions {
    /// Rounds; every case runs once in each, in another order
    #[arg(long)]
    rounds: Option<u16>,
    /// Seconds for each measurement
    #[arg(long)]
    seconds: Option<f64>,
    /// Two short rounds: shows that everything works, its figures mean little
    #[arg(long)]
    quick: bool,
    /// Only this case; can be given several times
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// A program `opa` that has the Envoy plugin; else $OPA_ENVOY; else built from its Go modules into the cache
    #[arg(long)]
    plugin: Option<PathBuf>,
    /// Write docs/performance/policy.md
    #[arg(long)]
    write: bool,
}

/// `cargo xtask bench`
pub(crate) fn gatehouse(steps: &Steps, arguments: &[String]) -> anyhow::Result<()> {
    build(steps)?;
    let mut bench = Command::new(target().join("release/bench"));
    steps.run("measuring", bench.args(arguments).current_dir(repository()))
}

/// `cargo xtask bench policy`
pub(crate) fn policy(steps: &Steps, options: &PolicyOptions) -> anyhow::Result<()> {
    let plugin = peers::opa_envoy(steps, options.plugin.as_deref())?;
    build(steps)?;
    let mut bench = Command::new(target().join("release/bench-policy"));
    bench.current_dir(repository()).arg("--plugin").arg(std::path::absolute(plugin)?);
    if let Some(rounds) = options.rounds {
        bench.args(["--rounds", &rounds.to_string()]);
    }
    if let Some(seconds) = options.seconds {
        bench.args(["--seconds", &seconds.to_string()]);
    }
    if options.quick {
        bench.arg("--quick");
    }
    for case in &options.cases {
        bench.args(["--case", case]);
    }
    if options.write {
        bench.args(["--write", "docs/performance/policy.md"]);
    }
    steps.run("measuring", &mut bench)
}

fn build(steps: &Steps) -> anyhow::Result<()> {
    let mut build = cargo(&["build", "--release", "--package", "gatehouse", "--package", "benches"]);
    steps.run("building for release (some minutes when nothing is built yet)", &mut build)
}
