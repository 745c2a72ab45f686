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
    _folder: tempfile::TempDir,
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
        Ok(Self { process, port, http_port, _folder: folder })
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
