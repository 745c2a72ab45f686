//! A running opa-envoy-plugin, or Gatehouse in its place.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::call::Caller;
use super::case::CaseFile;
use super::descriptor;
use crate::bins::gatehouse_path;
use crate::client::{Ask, Client, Protocol};
use crate::ports::free_port;
use crate::process::Process;

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The plugin: `$OPA_ENVOY`.
    Plugin,
    /// Gatehouse, byte for byte as the plugin.
    Strict,
    /// Gatehouse as it is by default.
    Default,
}

/// A running program.
pub struct Server {
    process: Process,
    port: u16,
    http_port: u16,
    // Removed when dropped.
    folder: tempfile::TempDir,
}

/// The plugin to compare with.
///
/// # Errors
/// When there is none.
pub fn plugin_path() -> anyhow::Result<PathBuf> {
    std::env::var_os("OPA_ENVOY").map(PathBuf::from).context(
        "set OPA_ENVOY to the path of opa with its Envoy plugin, or run `cargo xtask diff opa`, which builds one",
    )
}

impl Server {
    /// Starts the program with the policy and the configuration of a file of cases.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(kind: Kind, file: &CaseFile) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (port, http_port) = (free_port()?, free_port()?);
        std::fs::write(folder.path().join("policy.rego"), &file.policy)?;
        for (name, text) in &file.files {
            std::fs::write(folder.path().join(name), text)?;
        }
        let mut plugin = file.plugin.clone();
        plugin.insert("addr".to_owned(), Value::from(format!("127.0.0.1:{port}")));
        if kind == Kind::Strict {
            plugin.insert("strict".to_owned(), Value::from(true));
        }
        if file.descriptors {
            let path = folder.path().join("descriptors.pb");
            std::fs::write(&path, descriptor::set())?;
            plugin.insert("proto-descriptor".to_owned(), Value::from(path.display().to_string()));
        }
        let config = json!({ "plugins": Map::from_iter([("envoy_ext_authz_grpc".to_owned(), Value::Object(plugin))]) });
        std::fs::write(folder.path().join("config.yaml"), config.to_string())?;
        let mut command = match kind {
            Kind::Plugin => Command::new(plugin_path()?),
            Kind::Strict | Kind::Default => {
                let mut command = Command::new(gatehouse_path()?);
                command.arg("opa");
                command
            }
        };
        command.current_dir(folder.path());
        command.args(["run", "--server", "--skip-version-check", "--config-file=config.yaml"]);
        command.arg(format!("--addr=127.0.0.1:{http_port}"));
        command.arg("policy.rego").args(file.files.keys());
        let mut process = Process::start("opa", &mut command, &folder.path().join("opa.log"))?;
        let ready = async || {
            let health = Client::new(http_port, Protocol::Http1).send(&Ask::get("/health?plugins")).await;
            health.is_ok_and(|reply| reply.status == 200) && Caller::connect(port).await.is_ok()
        };
        process.ready(Duration::from_secs(30), ready).await?;
        Ok(Self { process, port, http_port, folder })
    }

    /// Starts Gatehouse with a configuration (OPA's, without the plugin's address) and files, which the command line names.
    /// Waits until it listens, not until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn with_config(config: &Value, files: &[(&str, &str)], arguments: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        Self::in_folder(folder, config, files, arguments).await
    }

    /// As [`Server::with_config`], in a folder that may hold what an earlier one left.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn in_folder(
        folder: tempfile::TempDir,
        config: &Value,
        files: &[(&str, &str)],
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let (port, http_port) = (free_port()?, free_port()?);
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text)?;
        }
        std::fs::write(folder.path().join("config.yaml"), config.to_string())?;
        let mut command = Command::new(gatehouse_path()?);
        command.current_dir(folder.path());
        command.args(["opa", "run", "--server", "--config-file=config.yaml"]);
        command.arg(format!("--set=plugins.envoy_ext_authz_grpc.addr=127.0.0.1:{port}"));
        command.arg(format!("--addr=127.0.0.1:{http_port}")).args(arguments);
        command.args(files.iter().map(|(name, _)| name));
        let mut process = Process::start("opa", &mut command, &folder.path().join("opa.log"))?;
        process.ready(Duration::from_secs(30), async || Caller::connect(port).await.is_ok()).await?;
        Ok(Self { process, port, http_port, folder })
    }

    /// Its folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Stops it as `kill -9` would, and gives its folder.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(self) -> anyhow::Result<tempfile::TempDir> {
        self.process.signal("KILL")?;
        Ok(self.folder)
    }

    /// Stops it as an orchestrator would.
    ///
    /// # Errors
    /// When it does not end in time, or with a failure.
    pub async fn terminate(mut self) -> anyhow::Result<tempfile::TempDir> {
        self.process.signal("TERM")?;
        let status = self.process.ended(Duration::from_secs(20)).await?;
        anyhow::ensure!(status.success(), "it ended with {status}\n{}", self.process.log());
        Ok(self.folder)
    }

    /// Whether `/health?bundles` says that all bundles are active.
    pub async fn is_ready(&self) -> bool {
        self.get("/health?bundles").await.is_ok_and(|reply| reply.status == 200)
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// When it does not listen.
    pub async fn caller(&self) -> anyhow::Result<Caller> {
        Caller::connect(self.port).await
    }

    /// What it says over HTTP.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<crate::client::Reply> {
        Client::new(self.http_port, Protocol::Http1).send(&Ask::get(path)).await
    }

    /// All it has printed.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
