//! The programs, started as their users start them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::prepared::Prepared;
use crate::rounds::server::{Ready, Server, free_port};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Program {
    /// Decodes the request and allows it.
    NoOp,
    /// `gatehouse opa run`
    Gatehouse,
    /// opa-envoy-plugin
    Plugin,
}

impl Program {
    pub(super) const ALL: [Self; 3] = [Self::NoOp, Self::Gatehouse, Self::Plugin];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoOp => "no-op",
            Self::Gatehouse => "gatehouse",
            Self::Plugin => "plugin",
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) noop: PathBuf,
    pub(super) gatehouse: PathBuf,
    pub(super) plugin: PathBuf,
}

impl Programs {
    /// Starts a program with the policy of a case. Gatehouse and the plugin get the same arguments: no log of decisions, everything
    /// else as it is by default.
    pub(super) fn start(
        &self,
        program: Program,
        prepared: &Prepared,
        processors: &str,
        socket: &Path,
    ) -> anyhow::Result<Server> {
        let path = text(socket)?;
        if program == Program::NoOp {
            return Server::start(&self.noop, &["--unix", path], processors, socket, Ready::Socket);
        }
        let port = free_port()?;
        let checks = format!("--set=plugins.envoy_ext_authz_grpc.addr=unix://{path}");
        let health = format!("--addr=127.0.0.1:{port}");
        let mut arguments = vec!["run", "--server", "--skip-version-check", &checks, &health];
        for file in &prepared.files {
            arguments.push(text(file)?);
        }
        let ready = Ready::Http(port, "/health?plugins");
        if program == Program::Plugin {
            return Server::start(&self.plugin, &arguments, processors, socket, ready);
        }
        arguments.insert(0, "opa");
        Server::start(&self.gatehouse, &arguments, processors, socket, ready)
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
