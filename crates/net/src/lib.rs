//! The one outbound HTTP client: TLS, a deadline for the whole exchange, a limit for the body, no redirects.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Certificate, RequestBuilder, StatusCode};
use url::{Host, Url};

/// How the client is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientConfig {
    /// Further certificate authorities, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// The client. Cloning it shares its connections.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

/// Why the client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The authorities could not be read.
    #[error("cannot read certificate authorities from {path}")]
    ReadAuthorities {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] reqwest::Error),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// 200 with its body.
    Body {
        /// The body.
        bytes: Bytes,
        /// `ETag`.
        etag: Option<String>,
        /// `Content-Type`.
        content_type: Option<String>,
    },
    /// 304: what the caller has is still current.
    NotModified,
}

/// Why nothing useful came back.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is no URL.
    #[error("the address is no URL")]
    Address,
    /// Clear text is for loopback only.
    #[error("the address is not https, and not on this machine")]
    Insecure,
    /// The exchange failed or took too long.
    #[error("the request failed")]
    Exchange(#[source] Box<dyn Error + Send + Sync>),
    /// Another status than 200 or 304; a redirect is one too.
    #[error("the server answered {0}")]
    Status(u16),
    /// The body is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl Client {
    /// Sets up the client.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(config: ClientConfig) -> Result<Self, BuildError> {
        // The provider of the process; the only failure is that it is there already.
        let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = config.ca_file {
            let pem = std::fs::read(&path).map_err(|source| BuildError::ReadAuthorities { path, source })?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(BuildError::Tls)?;
            builder = builder.tls_certs_merge(authorities);
        }
        builder.build().map(Self).map_err(BuildError::Tls)
    }

    /// Fetches an address within `timeout`, at most `max_bytes` of body. With `etag` it asks whether that is still current.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get(
        &self,
        address: &str,
        max_bytes: usize,
        timeout: Duration,
        etag: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        let mut request = self.0.get(check(address)?).header(ACCEPT, "application/json");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        in_time(timeout, receive(request, max_bytes)).await
    }

    /// Posts a body within `timeout`; the answer's body is not read.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn post(
        &self,
        address: &str,
        content_type: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<(), FetchError> {
        let request = self.0.post(check(address)?).header(CONTENT_TYPE, content_type).body(body);
        in_time(timeout, async {
            let answer = request.send().await.map_err(exchange)?;
            if answer.status().is_success() { Ok(()) } else { Err(FetchError::Status(answer.status().as_u16())) }
        })
        .await
    }
}

/// Says whether an address may be fetched: https, or http on this machine.
///
/// # Errors
/// [`FetchError::Address`] or [`FetchError::Insecure`].
pub fn check_address(address: &str) -> Result<(), FetchError> {
    check(address).map(drop)
}

fn check(address: &str) -> Result<Url, FetchError> {
    let url = Url::parse(address).map_err(|_| FetchError::Address)?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(FetchError::Insecure),
    }
}

async fn in_time<T>(timeout: Duration, exchange: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
    tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|elapsed| Err(FetchError::Exchange(elapsed.into())))
}

async fn receive(request: RequestBuilder, max_bytes: usize) -> Result<Fetched, FetchError> {
    let mut answer = request.send().await.map_err(exchange)?;
    match answer.status() {
        StatusCode::NOT_MODIFIED => return Ok(Fetched::NotModified),
        StatusCode::OK => {}
        other => return Err(FetchError::Status(other.as_u16())),
    }
    let text = |name| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (etag, content_type) = (text(ETAG), text(CONTENT_TYPE));
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(exchange)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(FetchError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched::Body { bytes: body.freeze(), etag, content_type })
}

fn exchange(error: reqwest::Error) -> FetchError {
    // Addresses may hold credentials.
    FetchError::Exchange(error.without_url().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_is_for_this_machine_only() {
        for good in ["https://a.test/x", "http://127.0.0.1:1/x", "http://localhost/", "http://[::1]/"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.test/",
            "http://10.0.0.1/",
            "file:///etc/passwd",
            "ftp://a.test",
            "x",
            "http://localhost.a.test/",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
