//! The one outbound HTTP client: TLS, a deadline for the whole exchange, a limit for the body, no redirects.
//!
//! Addresses come from the configuration only. Clear text is for this machine, unless the configuration says otherwise:
//! whoever stands on the way of a key set can sign tokens.

mod address;
mod error;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity, Method, RequestBuilder, Response, StatusCode};

pub use address::{Plaintext, check_address};
pub use error::{BuildError, FetchError};

/// How the client is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientConfig {
    /// Further certificate authorities, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Only those in `ca_file` are believed, when there is one.
    pub only_ca_file: bool,
    /// PEM files of the client's certificate chain and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Further certificate authorities, as the PEM itself.
    pub ca_pem: Option<String>,
    /// The client's certificate chain and its key, as the PEM itself.
    pub identity_pem: Option<(String, String)>,
}

/// The client. Cloning it shares its connections.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Get<'a> {
    /// The address.
    pub address: &'a str,
    /// Whether it may be clear text to another machine.
    pub plaintext: Plaintext,
    /// The largest body.
    pub max_bytes: usize,
    /// From the first byte sent to the last one received.
    pub timeout: Duration,
    /// What an earlier answer said about itself; default when there was none.
    pub validators: &'a Validators,
}

/// A request of any kind.
#[derive(Debug)]
pub struct Send<'a> {
    /// The method.
    pub method: &'a str,
    /// The address.
    pub address: &'a str,
    /// Whether it may be clear text to another machine.
    pub plaintext: Plaintext,
    /// Headers.
    pub headers: &'a [(String, String)],
    /// The body, if there is one.
    pub body: Option<Bytes>,
    /// The largest body of an answer.
    pub max_bytes: usize,
    /// From the first byte sent to the headers of the answer.
    pub first_byte: Duration,
    /// From the first byte sent to the last one received.
    pub timeout: Duration,
}

/// What was answered to [`Client::send`].
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The first header of that name, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers that are text, with names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }
}

/// The words that go with a status (RFC 9110 §15); empty for an unknown one.
pub fn reason_phrase(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// What an answer says about itself, to ask later whether it is still current (RFC 9110 §8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// 200 with its body.
    Body {
        /// The body.
        bytes: Bytes,
        /// For the next time.
        validators: Validators,
        /// `Content-Type`.
        content_type: Option<String>,
    },
    /// 304: what the caller has is still current.
    NotModified,
}

impl Client {
    /// Sets up the client.
    ///
    /// # Errors
    /// [`BuildError`] when the authorities cannot be read or are none.
    pub fn new(config: ClientConfig) -> Result<Self, BuildError> {
        // The provider of the process; the only failure is that it is there already.
        let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = config.ca_file {
            let pem =
                std::fs::read(&path).map_err(|source| BuildError::ReadAuthorities { path: path.clone(), source })?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(BuildError::Tls)?;
            if authorities.is_empty() {
                return Err(BuildError::NoAuthorities { path });
            }
            builder = if config.only_ca_file {
                builder.tls_certs_only(authorities)
            } else {
                builder.tls_certs_merge(authorities)
            };
        }
        if let Some(pem) = config.ca_pem {
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(pem.as_bytes()).map_err(BuildError::Tls)?);
        }
        if let Some((certificate, key)) = config.identity_pem {
            let pem = format!("{certificate}\n{key}");
            builder = builder.identity(Identity::from_pem(pem.as_bytes()).map_err(BuildError::Tls)?);
        }
        if let Some((certificate, key)) = config.identity {
            let read = |path: PathBuf| std::fs::read(&path).map_err(|source| BuildError::ReadIdentity { path, source });
            let pem = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
            builder = builder.identity(Identity::from_pem(&pem).map_err(BuildError::Tls)?);
        }
        builder.build().map(Self).map_err(BuildError::Tls)
    }

    /// Fetches an address.
    ///
    /// # Errors
    /// [`FetchError`]: a refused address, a failed or late exchange, another status than 200 and 304, a body that is too large.
    pub async fn get(&self, get: Get<'_>) -> Result<Fetched, FetchError> {
        let mut request = self.0.get(address::parse(get.address, get.plaintext)?).header(ACCEPT, "application/json");
        let validators = [(IF_NONE_MATCH, &get.validators.etag), (IF_MODIFIED_SINCE, &get.validators.last_modified)];
        for (name, value) in validators {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        in_time(get.timeout, receive(request, get.max_bytes)).await
    }

    /// Sends any request and gives whatever is answered.
    ///
    /// # Errors
    /// [`FetchError`]: a refused address, a header that is none, a failed or late exchange, a body that is too large. No status is one.
    pub async fn send(&self, send: Send<'_>) -> Result<Answer, FetchError> {
        let url = address::parse(send.address, send.plaintext)?;
        let method = Method::from_bytes(send.method.as_bytes()).map_err(|_no_token| FetchError::Method)?;
        let mut request = self.0.request(method, url);
        if let Some(body) = send.body {
            request = request.body(body);
        }
        for (name, value) in send.headers {
            request = request.header(name, value);
        }
        in_time(send.timeout, async {
            let answer = in_time(send.first_byte, async { request.send().await.map_err(error::exchange) }).await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Ok(Answer { status, headers, body: read_body(answer, send.max_bytes).await? })
        })
        .await
    }

    /// Posts a body within `timeout`; `plaintext` says whether it may be clear text to another machine. The answer's body is not
    /// read.
    ///
    /// # Errors
    /// [`FetchError`]; any status but 2xx is one.
    pub async fn post(
        &self,
        address: &str,
        plaintext: Plaintext,
        content_type: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<(), FetchError> {
        let url = address::parse(address, plaintext)?;
        let request = self.0.post(url).header(CONTENT_TYPE, content_type).body(body);
        in_time(timeout, async {
            let answer = request.send().await.map_err(error::exchange)?;
            if answer.status().is_success() { Ok(()) } else { Err(FetchError::Status(answer.status().as_u16())) }
        })
        .await
    }
}

async fn in_time<T>(timeout: Duration, exchange: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
    tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(FetchError::TimedOut(timeout)))
}

async fn receive(request: RequestBuilder, max_bytes: usize) -> Result<Fetched, FetchError> {
    let answer = request.send().await.map_err(error::exchange)?;
    match answer.status() {
        StatusCode::NOT_MODIFIED => return Ok(Fetched::NotModified),
        StatusCode::OK => {}
        other => return Err(FetchError::Status(other.as_u16())),
    }
    let validators = Validators { etag: text(&answer, ETAG), last_modified: text(&answer, LAST_MODIFIED) };
    let content_type = text(&answer, CONTENT_TYPE);
    Ok(Fetched::Body { bytes: read_body(answer, max_bytes).await?, validators, content_type })
}

async fn read_body(mut answer: Response, max_bytes: usize) -> Result<Bytes, FetchError> {
    let announced = answer.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    if announced > max_bytes {
        return Err(FetchError::TooLarge(max_bytes));
    }
    // What is announced need not be what comes, so every piece is counted.
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(error::exchange)? {
        if body.len().saturating_add(chunk.len()) > max_bytes {
            return Err(FetchError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn text(answer: &Response, name: HeaderName) -> Option<String> {
    answer.headers().get(name)?.to_str().ok().map(str::to_owned)
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
