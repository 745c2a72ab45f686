//! The `server` section, checked and ready to run.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::listener::{Service, TlsConfig, TrustedAttribute};

/// The compiled `server` section.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    /// Where to listen.
    pub listeners: Vec<ListenerPlan>,
    /// Worker threads.
    pub workers: usize,
    /// See [`super::ServerConfig::drain`].
    pub drain: Duration,
    /// See [`super::ServerConfig::drain_notice`].
    pub drain_notice: Duration,
    /// See [`super::ServerConfig::max_connection_age`].
    pub max_connection_age: Duration,
    /// See [`super::ServerConfig::deadline_reserve`].
    pub deadline_reserve: Duration,
    /// See [`super::ServerConfig::max_deadline`].
    pub max_deadline: Duration,
    /// See [`super::ServerConfig::max_in_flight`].
    pub max_in_flight: usize,
    /// See [`super::ServerConfig::max_connections`].
    pub max_connections: usize,
    /// See [`super::ServerConfig::max_request`], in bytes.
    pub max_request: usize,
    /// See [`super::ServerConfig::certificate_poll`].
    pub certificate_poll: Duration,
}

/// One listener that is safe to open: local, behind TLS with known clients, or open because the file says so.
#[derive(Debug, Clone)]
pub struct ListenerPlan {
    /// Where.
    pub address: Address,
    /// What it serves; either gRPC services or HTTP ones.
    pub serves: BTreeSet<Service>,
    /// Who may connect to a Unix socket.
    pub socket: SocketRules,
    /// TLS with verified clients.
    pub tls: Option<TlsPlan>,
    /// Which attributes of a check request are believed here.
    pub trusts: BTreeSet<TrustedAttribute>,
}

impl ListenerPlan {
    /// True for a listener of HTTP (health, metrics), false for one of gRPC.
    pub fn is_http(&self) -> bool {
        self.serves.iter().any(|service| service.is_http())
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix domain socket.
    Unix(PathBuf),
    /// A name in Linux' abstract namespace.
    Abstract(String),
    /// A TCP socket.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "unix:@{name}"),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// Who may connect to a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRules {
    /// File mode of the socket.
    pub mode: u32,
    /// User ids that may connect; all when empty.
    pub peer_uids: Vec<u32>,
}

/// TLS of a listener: files that were readable when the configuration was checked.
#[derive(Debug, Clone)]
pub struct TlsPlan {
    /// The section it came from, with resolved file names.
    pub config: TlsConfig,
}
