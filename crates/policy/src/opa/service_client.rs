//! HTTP to one of the configured `services`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use net::{Answer, BuildError, Client, Exchange, FetchError, Method, Plaintext, TlsFiles};
use parking_lot::Mutex;

use super::config::{Bearer, Service};

/// How long an answer may take unless configured.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a service cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A file of its TLS.
    #[error("cannot set up TLS")]
    Tls(#[from] BuildError),
    /// The file of its token.
    #[error("cannot read the token from {path}")]
    Token {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The exchange.
    #[error(transparent)]
    Exchange(#[from] FetchError),
}

/// A client for one service: its address, headers, credentials and TLS.
#[derive(Debug)]
pub struct ServiceClient {
    base: String,
    headers: Vec<(String, String)>,
    bearer: Option<Bearer>,
    files: TlsFiles,
    timeout: Duration,
    built: Mutex<Built>,
}

/// The client and the state of its files when it was made.
#[derive(Debug)]
struct Built {
    client: Client,
    state: Vec<Option<(SystemTime, u64)>>,
}

impl ServiceClient {
    /// Sets up a client for a service.
    ///
    /// # Errors
    /// [`ServiceError::Tls`].
    pub fn new(service: &Service) -> Result<Self, ServiceError> {
        let file = |path: &String| (!path.is_empty()).then(|| PathBuf::from(path));
        let identity = service.credentials.client_tls.as_ref();
        let files = TlsFiles {
            authorities: service.tls.as_ref().and_then(|tls| file(&tls.ca_cert)),
            identity: identity.map(|tls| (PathBuf::from(&tls.cert), PathBuf::from(&tls.private_key))),
        };
        let state = state(&files);
        let built = Mutex::new(Built { client: Client::for_service(&files)?, state });
        Ok(Self {
            base: service.url.trim_end_matches('/').to_owned(),
            headers: service.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            bearer: service.credentials.bearer.clone(),
            files,
            timeout: service.response_header_timeout_seconds.map_or(TIMEOUT, Duration::from_secs),
            built,
        })
    }

    /// Whether what is sent can be read on its way: clear text to another machine.
    pub fn is_open_to_readers(&self) -> bool {
        matches!(net::check_address(&self.base, Plaintext::Refuse), Err(FetchError::Insecure))
    }

    /// Posts a body. The status is the caller's to judge; the answer's body is not read.
    ///
    /// # Errors
    /// [`ServiceError`]: no answer.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Answer, ServiceError> {
        self.exchange(Method::Post, path, headers, (body, None), self.timeout).await
    }

    /// Fetches a resource of at most `max_bytes` within `timeout`. The status is the caller's to judge.
    ///
    /// # Errors
    /// [`ServiceError`]: no complete answer.
    pub async fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Answer, ServiceError> {
        self.exchange(Method::Get, path, headers, (Bytes::new(), Some(max_bytes)), timeout).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        (body, max_bytes): (Bytes, Option<usize>),
        timeout: Duration,
    ) -> Result<Answer, ServiceError> {
        let mut all: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.extend(self.headers.iter().cloned());
        all.extend(self.authorization()?);
        let address = format!("{}/{}", self.base, path.trim_start_matches('/'));
        // As OPA, clear text is used where it is configured.
        let plaintext = Plaintext::Accept;
        let client = self.client()?;
        let exchange = Exchange { method, address: &address, plaintext, headers: &all, body, max_bytes, timeout };
        Ok(client.exchange(exchange).await?)
    }

    /// The token of the moment: its file may have been written anew.
    fn authorization(&self) -> Result<Option<(String, String)>, ServiceError> {
        let Some(bearer) = &self.bearer else { return Ok(None) };
        let token = if bearer.token_path.is_empty() {
            bearer.token.clone()
        } else {
            std::fs::read_to_string(&bearer.token_path)
                .map_err(|source| ServiceError::Token { path: bearer.token_path.clone().into(), source })?
        };
        let scheme = bearer.scheme.as_deref().unwrap_or("Bearer");
        Ok(Some(("authorization".to_owned(), format!("{scheme} {}", token.trim()))))
    }

    /// The client, made anew when a certificate or key was replaced.
    fn client(&self) -> Result<Client, ServiceError> {
        let state = state(&self.files);
        let mut built = self.built.lock();
        // A file that is just being replaced may be gone for a moment: what was read before still serves.
        if state != built.state && state.iter().all(Option::is_some) {
            *built = Built { client: Client::for_service(&self.files)?, state };
        }
        Ok(built.client.clone())
    }
}

/// When each file was written, and its size.
fn state(files: &TlsFiles) -> Vec<Option<(SystemTime, u64)>> {
    let identity = files.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
    let state = |path: &PathBuf| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    };
    files.authorities.iter().chain(identity).map(state).collect()
}
