//! One entry of `server.listeners`.

use std::collections::BTreeSet;
use std::path::{Path as FilePath, PathBuf};

use config::{Path, Problems, SecretConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::{Address, ListenerPlan, SocketRules, TlsPlan};
use crate::server::tls;

/// One place to listen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerConfig {
    /// `unix:/path/to/socket` or `address:port`.
    pub address: String,
    /// What is served here: `check`, `ratelimit` and `reflection` over gRPC, or `health` and `metrics` over HTTP.
    pub serves: Vec<Service>,
    /// File mode of a Unix socket in octal; `0660` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// User ids that may connect to a Unix socket; all that the file mode lets through when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peer_uids: Vec<u32>,
    /// TLS with verified clients; needed everywhere but on Unix sockets and loopback addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// `accept` opens a port that anybody who reaches it can use in clear text.
    pub plaintext: Plaintext,
    /// Which attributes of a check request are believed; `source_address` and `source_principal` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusts: Option<Vec<TrustedAttribute>>,
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// `envoy.service.auth.v3.Authorization`.
    Check,
    /// `envoy.service.ratelimit.v3.RateLimitService`.
    Ratelimit,
    /// `grpc.reflection.v1`.
    Reflection,
    /// `/livez` and `/readyz` over HTTP.
    Health,
    /// `/metrics` over HTTP.
    Metrics,
}

impl Service {
    /// True when it is served over plain HTTP instead of gRPC.
    pub const fn is_http(self) -> bool {
        match self {
            Self::Health | Self::Metrics => true,
            Self::Check | Self::Ratelimit | Self::Reflection => false,
        }
    }
}

/// Whether a port may be open to the network in clear text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plaintext {
    /// Refuse the configuration.
    #[default]
    Refuse,
    /// Open the port.
    Accept,
}

/// An attribute of a check request that only a trusted caller can be believed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustedAttribute {
    /// `attributes.source.address`.
    SourceAddress,
    /// `attributes.source.principal` and `attributes.source.certificate`.
    SourcePrincipal,
    /// `attributes.metadata_context` and `attributes.route_metadata_context`.
    Metadata,
    /// `attributes.context_extensions`.
    ContextExtensions,
}

/// TLS of a listener. Clients must always prove who they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate chain, read again when it changes.
    pub certificate: PathBuf,
    /// PEM private key of the certificate.
    pub private_key: SecretConfig,
    /// PEM file with the authorities that issue client certificates.
    pub client_ca: PathBuf,
    /// Names of the clients that may connect: a DNS or URI name of their certificate, or a prefix of a URI that ends in `/*`.
    pub client_names: Vec<String>,
    /// Oldest TLS version that is spoken.
    #[serde(default)]
    pub min_version: MinVersion,
}

/// Oldest TLS version that a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246).
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    #[default]
    #[serde(rename = "1.3")]
    Tls13,
}

impl ListenerConfig {
    pub(super) fn resolve_paths(&mut self, base: &FilePath) {
        if let Some(path) = self.address.strip_prefix("unix:")
            && !path.is_empty()
        {
            self.address = format!("unix:{}", base.join(path).display());
        }
        if let Some(tls) = &mut self.tls {
            tls.certificate = base.join(&tls.certificate);
            tls.client_ca = base.join(&tls.client_ca);
            if let SecretConfig::File(path) = &mut tls.private_key {
                *path = base.join(&path);
            }
        }
    }

    pub(super) fn compile(&self, at: &Path, problems: &mut Problems) -> Option<ListenerPlan> {
        let before = errors(problems);
        let address = self.parse_address(at, problems);
        self.check_services(at, problems);
        if let Some(address) = &address {
            self.check_exposure(address, at, problems);
        }
        let mode = self.parse_mode(at, problems);
        if let Some(tls) = &self.tls {
            tls.check(&at.key("tls"), problems);
        }
        let trusts = self
            .trusts
            .clone()
            .unwrap_or_else(|| vec![TrustedAttribute::SourceAddress, TrustedAttribute::SourcePrincipal]);
        if errors(problems) != before {
            return None;
        }
        Some(ListenerPlan {
            address: address?,
            serves: self.serves.iter().copied().collect(),
            socket: SocketRules { mode: mode?, peer_uids: self.peer_uids.clone() },
            tls: self.tls.clone().map(|config| TlsPlan { config }),
            trusts: trusts.into_iter().collect(),
        })
    }

    fn parse_address(&self, at: &Path, problems: &mut Problems) -> Option<Address> {
        let at = at.key("address");
        if let Some(path) = self.address.strip_prefix("unix:") {
            let sun_path_bytes = 107;
            if path.is_empty() || path.len() > sun_path_bytes {
                problems.error(&at, format!("the path of a Unix socket has 1 to {sun_path_bytes} bytes"));
                return None;
            }
            return Some(Address::Unix(PathBuf::from(path)));
        }
        match self.address.parse() {
            Ok(address) => Some(Address::Tcp(address)),
            Err(_) => {
                let text = &self.address;
                problems.error(&at, format!("`{text}` is no address: write unix:/path, 127.0.0.1:9191 or [::1]:9191"));
                None
            }
        }
    }

    fn check_services(&self, at: &Path, problems: &mut Problems) {
        let at = at.key("serves");
        let http = self.serves.iter().filter(|service| service.is_http()).count();
        if self.serves.is_empty() {
            problems.error(&at, "nothing is served here: name check, ratelimit, reflection, health or metrics");
        } else if http != 0 && http != self.serves.len() {
            problems.error(&at, "health and metrics are HTTP and need a listener of their own; gRPC health is served on every gRPC listener");
        } else if self.serves.iter().collect::<BTreeSet<_>>().len() != self.serves.len() {
            problems.error(&at, "a service is listed twice");
        }
        if http != 0 && self.tls.is_some() {
            problems.error(&at, "health and metrics are served without TLS; use a loopback address");
        }
    }

    /// Ports know who speaks: a socket file, loopback, or TLS with named clients.
    fn check_exposure(&self, address: &Address, at: &Path, problems: &mut Problems) {
        match address {
            Address::Unix(_) | Address::Abstract(_) if self.tls.is_some() => {
                problems.error(&at.key("tls"), "a Unix socket has no TLS")
            }
            Address::Unix(_) | Address::Abstract(_) => {}
            Address::Tcp(tcp) => {
                if self.mode.is_some() || !self.peer_uids.is_empty() {
                    problems.error(at, "mode and peer_uids are for Unix sockets");
                }
                let open = self.tls.is_none() && !tcp.ip().is_loopback();
                match self.plaintext {
                    Plaintext::Refuse if open => problems.error(
                        &at.key("address"),
                        "anybody who reaches this port could ask and answer for others: use a Unix socket, \
                         a loopback address, tls, or write plaintext: accept",
                    ),
                    Plaintext::Accept if open => {
                        problems.warn(
                            &at.key("plaintext"),
                            format!("{tcp} is open to everybody who reaches it, in clear text"),
                        );
                    }
                    Plaintext::Accept if self.tls.is_some() => {
                        problems.error(&at.key("plaintext"), "a listener with tls has no clear text to accept");
                    }
                    Plaintext::Refuse | Plaintext::Accept => {}
                }
            }
        }
    }

    fn parse_mode(&self, at: &Path, problems: &mut Problems) -> Option<u32> {
        let Some(text) = &self.mode else { return Some(DEFAULT_MODE) };
        match u32::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o777 && mode & 0o600 == 0o600 => {
                if mode & 0o007 != 0 {
                    problems.warn(&at.key("mode"), "every user of this machine can connect");
                }
                Some(mode)
            }
            Ok(_) | Err(_) => {
                problems
                    .error(&at.key("mode"), format!("`{text}` is no file mode: write it in octal, such as \"0660\""));
                None
            }
        }
    }
}

impl TlsConfig {
    fn check(&self, at: &Path, problems: &mut Problems) {
        if self.client_names.is_empty() {
            problems.error(&at.key("client_names"), "no client may connect: name at least one");
        }
        for (index, name) in self.client_names.iter().enumerate() {
            let prefix = name.strip_suffix('*').unwrap_or(name);
            let stars_elsewhere = prefix.contains('*');
            let bad_prefix = prefix.len() != name.len() && !(prefix.contains("://") && prefix.ends_with('/'));
            if name.is_empty() || stars_elsewhere || bad_prefix {
                let at = at.key("client_names").index(index);
                problems.error(
                    &at,
                    format!("`{name}` is no client name: write a DNS name, a URI, or a URI prefix that ends in /*"),
                );
            }
        }
        if let Err(error) = tls::load(self) {
            problems.error(&at.key(error.field()), error.to_string());
        }
    }
}

fn errors(problems: &Problems) -> usize {
    problems.iter().filter(|problem| !problem.warning).count()
}

/// File mode of a Unix socket unless the file says otherwise.
const DEFAULT_MODE: u32 = 0o660;
