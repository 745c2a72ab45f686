//! Requests to one of `services`: its address, its credentials, its TLS.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use net::{Answer, Client, ClientConfig, FetchError, Plaintext, Send};

use super::config::{Credentials, Service};

/// OPA's `response_header_timeout_seconds`.
const FIRST_BYTE: Duration = Duration::from_secs(10);

/// A service that can be asked. Cloning it shares its connections.
#[derive(Debug, Clone)]
pub struct ServiceClient {
    service: Service,
    client: Client,
}

/// Why a service gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The file that holds the token cannot be read.
    #[error("cannot read the token in {path}: {source}")]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There was no complete answer.
    #[error("{}", told(.0))]
    Fetch(#[from] FetchError),
}

/// An error with all its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

impl ServiceClient {
    /// Reads the files that `tls` and `credentials` name.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn new(service: &Service) -> Result<Self, String> {
        let file = |path: &str| (!path.is_empty()).then(|| PathBuf::from(path));
        let identity = service.credentials.client_tls.as_ref();
        let identity = identity.and_then(|tls| file(&tls.cert).zip(file(&tls.private_key)));
        let ca_file = service.tls.as_ref().and_then(|tls| file(&tls.ca_cert));
        // As with OPA: a named authority is the only one, unless the system's are asked for.
        let only_ca_file = !service.tls.as_ref().is_some_and(|tls| tls.system_ca_required);
        let client = Client::new(ClientConfig { ca_file, only_ca_file, identity, ..ClientConfig::default() })
            .map_err(|error| told(&error))?;
        Ok(Self { service: service.clone(), client })
    }

    /// The address of a resource.
    pub fn address(&self, resource: &str) -> String {
        format!("{}/{}", self.service.url.trim_end_matches('/'), resource.trim_start_matches('/'))
    }

    /// Asks for a resource. `wait` is how long the service may hold the answer back.
    ///
    /// # Errors
    /// [`ServiceError`]; no status is one.
    pub async fn get(
        &self,
        resource: &str,
        headers: Vec<(String, String)>,
        wait: Duration,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Answer, ServiceError> {
        self.send(resource, headers, None, wait, max_bytes, timeout).await
    }

    /// Posts a body; what is answered beyond some KiB is an error.
    ///
    /// # Errors
    /// [`ServiceError`]; no status is one.
    pub async fn post(
        &self,
        resource: &str,
        headers: Vec<(String, String)>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, ServiceError> {
        self.send(resource, headers, Some(body), Duration::ZERO, MAX_ANSWER, timeout).await
    }

    async fn send(
        &self,
        resource: &str,
        mut headers: Vec<(String, String)>,
        body: Option<Bytes>,
        wait: Duration,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Answer, ServiceError> {
        headers.extend(self.service.headers.clone());
        headers.extend(authorization(&self.service.credentials)?);
        let first_byte = self.service.response_header_timeout_seconds.map_or(FIRST_BYTE, Duration::from_secs);
        let send = Send {
            method: if body.is_some() { "POST" } else { "GET" },
            address: &self.address(resource),
            // As OPA does: the configuration says where policies come from.
            plaintext: Plaintext::Accept,
            headers: &headers,
            body,
            max_bytes,
            first_byte: first_byte + wait,
            timeout: timeout.max(first_byte) + wait,
        };
        Ok(self.client.send(send).await?)
    }
}

/// The most of an answer to a post that is read.
const MAX_ANSWER: usize = 64 << 10;

/// The token is read anew each time: whoever rotates it writes the file.
fn authorization(credentials: &Credentials) -> Result<Option<(String, String)>, ServiceError> {
    let Some(bearer) = &credentials.bearer else { return Ok(None) };
    let token = if bearer.token_path.is_empty() {
        bearer.token.clone()
    } else {
        let path = PathBuf::from(&bearer.token_path);
        let read = std::fs::read_to_string(&path).map_err(|source| ServiceError::Token { path, source })?;
        read.trim().to_owned()
    };
    let scheme = bearer.scheme.as_deref().unwrap_or("Bearer");
    Ok(Some(("authorization".to_owned(), format!("{scheme} {token}"))))
}
