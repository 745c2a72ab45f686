//! The built Gatehouse, started with a configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::bins::gatehouse_path;
use crate::client::{Ask, Client, Protocol, Reply};
use crate::process::Process;

/// The `server` section of the tests: a Unix socket, loopback and the HTTP listener. `@SOCKET@` and such are replaced
/// by [`crate::Stack`].
pub const LISTENERS: &str = "\
apiVersion: gatehouse/v1
server:
  listeners:
    - { address: \"unix:@SOCKET@\", serves: [check, ratelimit] }
    - { address: \"127.0.0.1:@GRPC_PORT@\", serves: [check, ratelimit] }
    - address: \"127.0.0.1:@TLS_PORT@\"
      serves: [check, ratelimit]
      tls:
        certificate: tls/gatehouse.pem
        private_key: { file: tls/gatehouse-key.pem }
        client_ca: tls/ca.pem
        client_names: [\"spiffe://example.org/envoy\"]
    - { address: \"127.0.0.1:@HTTP_PORT@\", serves: [health, metrics] }
";

/// A running Gatehouse.
#[derive(Debug)]
pub struct Gatehouse {
    process: Process,
    http_port: u16,
    folder: PathBuf,
}

impl Gatehouse {
    /// Starts it with `gatehouse.yaml` of the folder and waits until it answers.
    ///
    /// # Errors
    /// When it is not built or refuses the configuration.
    pub async fn start(folder: &Path, http_port: u16) -> anyhow::Result<Self> {
        let mut command = Command::new(gatehouse_path()?);
        command.arg("serve").arg("-c").arg(folder.join("gatehouse.yaml"));
        let mut process = Process::start("gatehouse", &mut command, &folder.join("gatehouse.log"))?;
        let alive = async || get(http_port, "/livez").await.is_ok_and(|reply| reply.status == 200);
        process.ready(Duration::from_secs(20), alive).await?;
        Ok(Self { process, http_port, folder: folder.to_path_buf() })
    }

    /// Runs the program to its end with these arguments.
    ///
    /// # Errors
    /// When it is not built.
    pub fn run(arguments: &[&str]) -> anyhow::Result<Output> {
        Command::new(gatehouse_path()?).args(arguments).output().context("cannot run gatehouse")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// All it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The decision of a request, from the log: the last line that names its id.
    pub fn decision(&self, request_id: &str) -> Option<Value> {
        let log = self.log();
        let line = log.lines().rev().find(|line| line.contains(request_id))?;
        serde_json::from_str(line).ok()
    }

    /// Whether `/readyz` says yes, and what it says.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn readyz(&self) -> anyhow::Result<Reply> {
        get(self.http_port, "/readyz").await
    }

    /// All metrics.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(get(self.http_port, "/metrics").await?.text())
    }

    /// The sum of all series of a metric whose line holds every one of `labels`.
    ///
    /// # Errors
    /// When metrics cannot be read.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> anyhow::Result<f64> {
        let text = self.metrics().await?;
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        let ours = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && labels.iter().all(|label| line.contains(label))
        };
        Ok(text.lines().filter(ours).filter_map(value).sum())
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

async fn get(port: u16, path: &str) -> anyhow::Result<Reply> {
    Client::new(port, Protocol::Http1).send(&Ask::get(path)).await
}
