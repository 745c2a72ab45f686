//! Which machine and which programs the figures are of.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Serialize;

use crate::procfs;

/// What a figure means little without.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// The day, as `2026-01-31`.
    pub date: String,
    /// The processor's name.
    pub processor: String,
    /// How many processors may be used.
    pub processors: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Version of Gatehouse.
    pub gatehouse: String,
    /// Version of OPA in the plugin, and of its Go.
    pub plugin: String,
    /// Rounds, and seconds of each measurement.
    pub rounds: u16,
    /// The same.
    pub seconds: f64,
}

impl Facts {
    /// Asks the system and the programs.
    ///
    /// # Errors
    /// When a program does not say its version.
    pub fn gather(gatehouse: &Path, plugin: &Path, rounds: u16, seconds: f64) -> anyhow::Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let version = said(plugin, "version")?;
        let opa = after(&version, "Version:").context("the plugin names no version")?;
        let go = after(&version, "Go Version:").unwrap_or("go of no version");
        let gatehouse = said(gatehouse, "--version")?;
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processor: after(&cpuinfo, "model name\t:").unwrap_or("unknown").to_owned(),
            processors: procfs::processors()?.len(),
            kernel: kernel.trim().to_owned(),
            gatehouse: gatehouse.trim().trim_start_matches("gatehouse ").to_owned(),
            plugin: format!("OPA {opa}, {go}"),
            rounds,
            seconds,
        })
    }
}

fn said(program: &Path, argument: &str) -> anyhow::Result<String> {
    let output = Command::new(program).arg(argument).output().with_context(|| format!("cannot run {argument}"))?;
    if !output.status.success() {
        bail!("{} {argument} ended with {}", program.display(), output.status);
    }
    String::from_utf8(output.stdout).context("a version is not UTF-8")
}

/// The rest of the first line that starts so.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(start)).map(str::trim)
}
