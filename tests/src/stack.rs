//! Everything together: issuer, key server, upstream, Gatehouse, Envoy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::client::{Ask, Client, Protocol, Reply};
use crate::envoy::{Envoy, EnvoyOptions, Sample};
use crate::gatehouse::{Gatehouse, LISTENERS};
use crate::jwks::JwksServer;
use crate::keys::Issuer;
use crate::ports::free_port;
use crate::tls::Authority;
use crate::upstream::Upstream;

/// How Envoy reaches Gatehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Over a Unix socket.
    Unix,
    /// Over loopback TCP.
    Tcp,
    /// Over mutual TLS; clients reach Envoy over TLS, too.
    Mtls,
}

/// A stack to be.
#[derive(Debug, Clone)]
pub struct StackBuilder {
    config: String,
    files: Vec<(String, String)>,
    sample: Sample,
    patience: Duration,
    naive: bool,
    failure_mode_allow: bool,
    own_server_section: bool,
}

impl StackBuilder {
    /// Over this link instead of a Unix socket.
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.sample = match link {
            Link::Unix => Sample::UnixSocket,
            Link::Tcp => Sample::Tcp,
            Link::Mtls => Sample::Mtls,
        };
        self
    }

    /// With this sample.
    #[must_use]
    pub fn sample(mut self, sample: Sample) -> Self {
        self.sample = sample;
        self
    }

    /// With one more file beside the configuration.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// With an Envoy that does nothing against path tricks and forged headers.
    #[must_use]
    pub fn naive_envoy(mut self) -> Self {
        self.naive = true;
        self
    }

    /// With an Envoy that lets requests pass when Gatehouse reports an error.
    #[must_use]
    pub fn failure_mode_allow(mut self) -> Self {
        self.failure_mode_allow = true;
        self
    }

    /// How long Envoy waits for an answer of Gatehouse.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The configuration has a `server` section of its own, with the same placeholders.
    #[must_use]
    pub fn own_server_section(mut self) -> Self {
        self.own_server_section = true;
        self
    }

    /// Starts everything and waits until it answers.
    ///
    /// # Errors
    /// When a program is missing or does not start; its log is in the message.
    pub async fn start(self) -> anyhow::Result<Stack> {
        let folder = tempfile::Builder::new().prefix("gh-").tempdir_in("/tmp").context("no temporary folder")?;
        let path = folder.path().to_path_buf();
        let started = self.start_in(path.clone()).await;
        let kept = folder.keep();
        match started {
            Ok(stack) => Ok(stack),
            Err(error) => Err(error.context(format!("logs are in {}", kept.display()))),
        }
    }

    async fn start_in(self, folder: PathBuf) -> anyhow::Result<Stack> {
        let issuer = Issuer::new("https://auth.example.com", "https://api.example.com")?;
        let jwks = JwksServer::start(issuer.jwks()).await?;
        let upstream = Upstream::start().await?;
        let authority = certificates(&folder)?;
        let (grpc_port, tls_port, http_port) = (free_port()?, free_port()?, free_port()?);
        let mut replacements = vec![
            ("@SOCKET@".to_owned(), folder.join("g.sock").display().to_string()),
            ("@GRPC_PORT@".to_owned(), grpc_port.to_string()),
            ("@TLS_PORT@".to_owned(), tls_port.to_string()),
            ("@HTTP_PORT@".to_owned(), http_port.to_string()),
            ("@JWKS_URL@".to_owned(), jwks.url()),
            ("@DIR@".to_owned(), folder.display().to_string()),
        ];
        if !self.own_server_section {
            replacements.push((String::new(), LISTENERS.to_owned()));
        }
        std::fs::write(folder.join("jwks.json"), issuer.jwks()).context("cannot write the keys")?;
        for (name, text) in &self.files {
            write(&folder.join(name), text)?;
        }
        write(&folder.join("gatehouse.yaml"), &filled(&self.config, &replacements))?;
        let gatehouse = Gatehouse::start(&folder, http_port).await?;
        let options = EnvoyOptions {
            sample: self.sample,
            socket: folder.join("g.sock"),
            gatehouse_port: if self.sample == Sample::Mtls { tls_port } else { grpc_port },
            upstream_port: upstream.port(),
            tls: folder.join("tls"),
            patience: self.patience,
            naive: self.naive,
            failure_mode_allow: self.failure_mode_allow,
        };
        let envoy = Envoy::start(&folder, &options).await?;
        Ok(Stack { envoy, gatehouse, upstream, jwks, issuer, authority, folder, replacements, http_port, kept: false })
    }
}

/// Everything together, running.
#[derive(Debug)]
pub struct Stack {
    /// Envoy.
    pub envoy: Envoy,
    /// Gatehouse.
    pub gatehouse: Gatehouse,
    /// The service behind Envoy.
    pub upstream: Upstream,
    /// The server of the issuer's keys.
    pub jwks: JwksServer,
    /// Who signs tokens: `https://auth.example.com` for `https://api.example.com`.
    pub issuer: Issuer,
    /// Who signed the certificates.
    pub authority: Authority,
    folder: PathBuf,
    replacements: Vec<(String, String)>,
    http_port: u16,
    kept: bool,
}

impl Stack {
    /// A stack with this configuration, without its `server` section. `@JWKS_URL@` and `@DIR@` are filled in.
    pub fn with(config: &str) -> StackBuilder {
        StackBuilder {
            config: config.to_owned(),
            files: Vec::new(),
            sample: Sample::UnixSocket,
            patience: Duration::from_secs(5),
            naive: false,
            failure_mode_allow: false,
            own_server_section: false,
        }
    }

    /// A client of Envoy.
    pub fn client(&self, protocol: Protocol) -> Client {
        Client::new(self.envoy.port(), protocol)
    }

    /// Sends one HTTP/1.1 request on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(&self, ask: &Ask) -> anyhow::Result<Reply> {
        self.client(Protocol::Http1).send(ask).await
    }

    /// Replaces the configuration; Gatehouse sees the change by itself.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reconfigure(&self, config: &str) -> anyhow::Result<()> {
        self.replace_file("gatehouse.yaml", &filled(config, &self.replacements))
    }

    /// Replaces a file beside the configuration, at once: written elsewhere and moved there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn replace_file(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let staged = self.folder.join(".staged");
        write(&staged, text)?;
        std::fs::rename(&staged, self.folder.join(name)).with_context(|| format!("cannot replace {name}"))
    }

    /// Starts Gatehouse again after its end.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart_gatehouse(&mut self) -> anyhow::Result<()> {
        self.gatehouse = Gatehouse::start(&self.folder, self.http_port).await?;
        Ok(())
    }

    /// Where configuration and logs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps the folder whatever happens.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() || self.kept || std::env::var_os("KEEP_LOGS").is_some() {
            #[expect(clippy::print_stderr, reason = "the output of a failed test is where the reader looks")]
            {
                eprintln!("logs and configuration are kept in {}", self.folder.display());
            }
        } else {
            // Processes still write there; what is left is in the system's temporary folder.
            let _removed = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn certificates(folder: &Path) -> anyhow::Result<Authority> {
    let tls = folder.join("tls");
    std::fs::create_dir_all(&tls).context("cannot make a folder")?;
    let authority = Authority::new()?;
    std::fs::write(tls.join("ca.pem"), authority.pem()).context("cannot write the authority")?;
    authority.issue(&tls, "gatehouse", &["gatehouse"])?;
    authority.issue(&tls, "envoy", &["spiffe://example.org/envoy"])?;
    authority.issue(&tls, "server", &["api.example.com"])?;
    Ok(authority)
}

/// The configuration with its placeholders filled in; the replacement for nothing is what goes before it.
fn filled(config: &str, replacements: &[(String, String)]) -> String {
    let before = replacements.iter().find(|(from, _)| from.is_empty()).map_or("", |(_, to)| to.as_str());
    let mut text = format!("{before}{config}");
    for (from, to) in replacements.iter().filter(|(from, _)| !from.is_empty()) {
        text = text.replace(from, to);
    }
    text
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
