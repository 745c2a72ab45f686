//! A real Envoy that runs one of `envoy/*.yaml` with ports and paths of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::bins::{envoy_path, repository};
use crate::client::{Ask, Client, Protocol};
use crate::ports::free_port;
use crate::process::Process;

/// One of the samples in `envoy/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// `unix-socket.yaml`
    UnixSocket,
    /// `tcp.yaml`
    Tcp,
    /// `mtls.yaml`
    Mtls,
    /// `with-body.yaml`
    WithBody,
}

impl Sample {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::UnixSocket, Self::Tcp, Self::Mtls, Self::WithBody];

    /// Its file.
    pub fn file(self) -> PathBuf {
        let name = match self {
            Self::UnixSocket => "unix-socket.yaml",
            Self::Tcp => "tcp.yaml",
            Self::Mtls => "mtls.yaml",
            Self::WithBody => "with-body.yaml",
        };
        repository().join("envoy").join(name)
    }
}

/// What differs from the sample.
#[derive(Debug, Clone)]
pub struct EnvoyOptions {
    /// The sample.
    pub sample: Sample,
    /// Gatehouse's socket.
    pub socket: PathBuf,
    /// Gatehouse's port, with or without TLS.
    pub gatehouse_port: u16,
    /// The upstream's port.
    pub upstream_port: u16,
    /// Folder of `server.pem`, `envoy.pem`, `ca.pem` and keys.
    pub tls: PathBuf,
    /// How long Envoy waits for Gatehouse. The samples say 250 ms, which a busy test machine may need.
    pub patience: Duration,
    /// Takes out what Envoy itself does against path tricks, forged headers and underscores, so that a test sees what
    /// Gatehouse does without this help.
    pub naive: bool,
    /// Turns on `failure_mode_allow`, the setting that an attacker must not profit from.
    pub failure_mode_allow: bool,
}

impl EnvoyOptions {
    /// The sample with all replacements made.
    ///
    /// # Errors
    /// When the sample lacks what should be replaced.
    pub fn render(&self, port: u16, admin_port: u16) -> anyhow::Result<String> {
        let file = self.sample.file();
        let mut text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut replace = |from: &str, to: &str| {
            ensure!(text.contains(from), "{} holds no `{from}`", file.display());
            text = text.replace(from, to);
            Ok(())
        };
        replace("port_value: 9901 ", &format!("port_value: {admin_port} "))?;
        replace("port_value: 10000 ", &format!("port_value: {port} "))?;
        replace("port_value: 8080 ", &format!("port_value: {} ", self.upstream_port))?;
        replace("timeout: 0.25s\n", &format!("timeout: {}s\n", self.patience.as_secs_f64()))?;
        replace("timeout: 0.1s\n", &format!("timeout: {}s\n", self.patience.as_secs_f64()))?;
        match self.sample {
            Sample::UnixSocket | Sample::WithBody => {
                replace("/run/gatehouse/envoy.sock", &self.socket.display().to_string())?
            }
            Sample::Tcp => replace("port_value: 9191 ", &format!("port_value: {} ", self.gatehouse_port))?,
            Sample::Mtls => {
                replace("port_value: 9443 ", &format!("port_value: {} ", self.gatehouse_port))?;
                replace("/etc/envoy/tls", &self.tls.display().to_string())?;
            }
        }
        if self.failure_mode_allow {
            replace("failure_mode_allow: false", "failure_mode_allow: true")?;
        }
        if self.naive {
            replace("normalize_path: true", "normalize_path: false")?;
            replace("merge_slashes: true", "merge_slashes: false")?;
            replace(
                "path_with_escaped_slashes_action: REJECT_REQUEST",
                "path_with_escaped_slashes_action: KEEP_UNCHANGED",
            )?;
            replace("headers_with_underscores_action: DROP_HEADER", "headers_with_underscores_action: ALLOW")?;
            replace("strip_trailing_host_dot: true", "strip_trailing_host_dot: false")?;
            replace("strip_matching_host_port: true", "strip_matching_host_port: false")?;
            replace("regex: \"x[-_]", "regex: \"nothing-")?;
        }
        Ok(text)
    }
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    port: u16,
    admin_port: u16,
}

impl Envoy {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When there is no Envoy, or it does not accept the configuration.
    pub async fn start(folder: &Path, options: &EnvoyOptions) -> anyhow::Result<Self> {
        let (port, admin_port) = (free_port()?, free_port()?);
        let file = folder.join("envoy.yaml");
        std::fs::write(&file, options.render(port, admin_port)?).context("cannot write envoy.yaml")?;
        let mut command = Command::new(envoy_path()?);
        command.arg("-c").arg(&file).args([
            "--use-dynamic-base-id",
            "--concurrency",
            "1",
            "-l",
            "warn",
            "--drain-time-s",
            "1",
        ]);
        let mut process = Process::start("envoy", &mut command, &folder.join("envoy.log"))?;
        process
            .ready(Duration::from_secs(20), async || {
                admin(admin_port, "/ready").await.is_ok_and(|text| text.starts_with("LIVE"))
            })
            .await?;
        Ok(Self { process, port, admin_port })
    }

    /// Asks Envoy whether a configuration file is good.
    ///
    /// # Errors
    /// With Envoy's own words when it is not.
    pub fn validate(file: &Path) -> anyhow::Result<()> {
        let output = Command::new(envoy_path()?)
            .args(["--mode", "validate", "-c"])
            .arg(file)
            .output()
            .context("cannot run envoy")?;
        if !output.status.success() {
            let mut words = String::from_utf8_lossy(&output.stderr).into_owned();
            write!(words, "{}", String::from_utf8_lossy(&output.stdout))?;
            bail!("envoy refuses {}:\n{words}", file.display());
        }
        Ok(())
    }

    /// Where clients connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of a counter or gauge, 0 when there is none.
    ///
    /// # Errors
    /// When the admin port does not answer.
    pub async fn stat(&self, name: &str) -> anyhow::Result<u64> {
        let text = admin(self.admin_port, &format!("/stats?format=json&filter={name}")).await?;
        let stats: Value = serde_json::from_str(&text).context("stats are no JSON")?;
        let all = stats.get("stats").and_then(Value::as_array).cloned().unwrap_or_default();
        let of = |stat: &Value| stat.get("value").and_then(Value::as_u64).unwrap_or_default();
        Ok(all
            .iter()
            .filter(|stat| stat.get("name").and_then(Value::as_str).is_some_and(|n| n.contains(name)))
            .map(of)
            .sum())
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

async fn admin(port: u16, path: &str) -> anyhow::Result<String> {
    Ok(Client::new(port, Protocol::Http1).send(&Ask::get(path)).await?.text())
}
