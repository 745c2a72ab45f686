//! The two commands of the README: `demo` and `test`.
//!
//! Both build the same packages with the same profile and features, so nothing is compiled twice.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, anyhow};

use crate::provision;
use crate::steps::{Steps, cargo, target};

/// `cargo xtask demo`
pub(crate) fn demo(steps: &Steps, check: bool) -> anyhow::Result<()> {
    let envoy = provision::envoy(steps)?;
    build(steps)?;
    let programs = target().join("debug");
    let mut demo = Command::new(programs.join("gatehouse-demo"));
    demo.env("ENVOY", envoy).env("GATEHOUSE_BIN", programs.join("gatehouse"));
    if check {
        demo.arg("--check");
    }
    steps.say("starting the demo");
    // Takes our place, so that Ctrl-C reaches it alone and the shell waits until it has cleaned up.
    Err(anyhow!(demo.exec()).context("cannot run the built demo"))
}

/// `cargo xtask test`
pub(crate) fn test(steps: &Steps, arguments: &[String]) -> anyhow::Result<()> {
    let envoy = provision::envoy(steps)?;
    build(steps)?;
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.env("ENVOY", envoy).env("GATEHOUSE_BIN", target().join("debug/gatehouse"));
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    steps.run("building and running the tests of all packages", &mut command)?;
    steps.say("all tests passed");
    Ok(())
}

/// Builds every program.
///
/// `--examples` selects no example, there is none; it makes cargo choose the features that `cargo test` will choose,
/// with which the tests then find everything built.
pub(crate) fn build(steps: &Steps) -> anyhow::Result<()> {
    let mut command = cargo(&["build", "--workspace", "--bins", "--examples"]);
    steps
        .run("building Gatehouse and the demo (some minutes when nothing is built yet)", &mut command)
        .context("the build failed")
}
