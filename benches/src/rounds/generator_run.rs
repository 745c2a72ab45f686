//! One run of `bench-load` against a server.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::server::Server;
use crate::load::LoadReport;

/// How the load generator runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GeneratorRun<'a> {
    /// Folder of `bench-load`.
    pub(crate) programs: &'a Path,
    /// Where it runs.
    pub(crate) processor: u32,
    /// Seconds of the measurement.
    pub(crate) seconds: f64,
    /// Seconds before it.
    pub(crate) warm_up: f64,
}

impl GeneratorRun<'_> {
    /// Loads a server with the requests of a plan.
    ///
    /// # Errors
    /// When an answer is wrong, or a request gets none.
    pub(crate) fn load(&self, server: &Server, plan: &Path, more: &[&str]) -> anyhow::Result<LoadReport> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &self.processor.to_string()]).arg(self.programs.join("bench-load"));
        command.arg("--plan").arg(plan).arg("--unix").arg(&server.socket);
        command.args(["--server", &server.pid().to_string(), "--seconds", &self.seconds.to_string()]);
        command.args(["--warm-up", &self.warm_up.to_string()]).args(more);
        let output = command.stderr(Stdio::inherit()).output().context("cannot run bench-load")?;
        if !output.status.success() {
            bail!("bench-load ended with {}", output.status);
        }
        let report: LoadReport = serde_json::from_slice(&output.stdout).context("bench-load printed no report")?;
        let few = report.wrong + report.lost <= report.requests / 1000;
        // On a machine that others keep busy a time limit may strike; such a round does not count anyway.
        if (report.wrong > 0 || report.lost > 0) && !(few && report.is_noisy()) {
            bail!("{} of {} answers were wrong, {} requests got none", report.wrong, report.requests, report.lost);
        }
        Ok(report)
    }
}
