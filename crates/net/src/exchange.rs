//! Exchanges with a service whose headers and TLS the caller chooses, and whose status the caller judges.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Identity;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::address::{self, Plaintext};
use crate::error::{self, BuildError, FetchError};
use crate::{Client, authorities, body, builder, in_time};

/// How one service is known, and how it knows us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file of the only authorities that are believed; those of the system when absent.
    pub authorities: Option<PathBuf>,
    /// PEM files of our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET, without a body.
    Get,
    /// POST.
    Post,
}

/// One exchange.
#[derive(Debug, Clone)]
pub struct Exchange<'a> {
    /// The method.
    pub method: Method,
    /// The address.
    pub address: &'a str,
    /// Whether it may be clear text to another machine.
    pub plaintext: Plaintext,
    /// Headers. Their values do not appear in errors.
    pub headers: &'a [(String, String)],
    /// What is sent.
    pub body: Bytes,
    /// The largest body of the answer; `None` when the status is all that matters.
    pub max_bytes: Option<usize>,
    /// From the first byte sent to the last one received.
    pub timeout: Duration,
}

/// An answer of any status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; empty when it was not asked for.
    pub body: Bytes,
    headers: HeaderMap,
}

impl Answer {
    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    /// Sets up a client for one service.
    ///
    /// # Errors
    /// [`BuildError`] when a file cannot be read or is something else.
    pub fn for_service(files: &TlsFiles) -> Result<Self, BuildError> {
        let mut builder = builder();
        if let Some(path) = &files.authorities {
            builder = builder.tls_certs_only(authorities(path)?);
        }
        if let Some((certificate, key)) = &files.identity {
            let read = |path: &PathBuf| {
                std::fs::read(path).map_err(|source| BuildError::ReadIdentity { path: path.clone(), source })
            };
            let mut pem = read(certificate)?;
            pem.push(b'\n');
            pem.extend(read(key)?);
            builder = builder.identity(Identity::from_pem(&pem).map_err(BuildError::Tls)?);
        }
        builder.build().map(Self).map_err(BuildError::Tls)
    }

    /// Makes an exchange; the answer is given whatever its status is.
    ///
    /// # Errors
    /// [`FetchError`]: a refused address or header, a failed or late exchange, a body that is too large.
    pub async fn exchange(&self, exchange: Exchange<'_>) -> Result<Answer, FetchError> {
        let url = address::parse(exchange.address, exchange.plaintext)?;
        let request = match exchange.method {
            Method::Get => self.0.get(url),
            Method::Post => self.0.post(url).body(exchange.body),
        }
        .headers(header_map(exchange.headers)?);
        let max_bytes = exchange.max_bytes;
        in_time(exchange.timeout, async move {
            let mut answer = request.send().await.map_err(error::exchange)?;
            let body = match max_bytes {
                Some(max_bytes) => body(&mut answer, max_bytes).await?,
                None => Bytes::new(),
            };
            Ok(Answer { status: answer.status().as_u16(), body, headers: std::mem::take(answer.headers_mut()) })
        })
        .await
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, FetchError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let refused = || FetchError::Header(name.clone());
        let key = HeaderName::try_from(name).map_err(|_no_name| refused())?;
        let mut value = HeaderValue::try_from(value).map_err(|_no_value| refused())?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(map)
}
