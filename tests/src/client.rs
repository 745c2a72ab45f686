//! A small HTTP client: one connection, HTTP/1.1 or HTTP/2, with or without TLS.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::upstream::Echo;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, with prior knowledge in clear text.
    Http2,
    /// gRPC over HTTP/2: the body is one frame.
    Grpc,
}

/// A request to be.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Method,
    path: String,
    host: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Ask {
    /// A GET of a path of `api.example.com`.
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            host: HOST.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Another method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Another host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a bearer token (RFC 6750 §2.1).
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    fn request(&self, protocol: Protocol, scheme: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let http1 = protocol == Protocol::Http1;
        let uri = if http1 { self.path.clone() } else { format!("{scheme}://{}{}", self.host, self.path) };
        let uri: Uri = uri.parse().with_context(|| format!("{uri} is no URI"))?;
        let grpc = protocol == Protocol::Grpc;
        let mut request = Request::builder().method(if grpc { Method::POST } else { self.method.clone() }).uri(uri);
        if http1 {
            request = request.header("host", &self.host);
        }
        if grpc {
            request = request.header("content-type", "application/grpc").header("te", "trailers");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = if grpc { grpc_frame(&self.body) } else { self.body.clone() };
        request.body(Full::new(body)).context("this is no request")
    }
}

/// One gRPC message with its five bytes of prefix.
pub fn grpc_frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Trailers of HTTP/2.
    pub trailers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Reply {
    /// The value of a header, or the empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `grpc-status` from trailers or, for an answer without body, headers.
    pub fn grpc_status(&self) -> Option<i32> {
        let value = self.trailers.get("grpc-status").or_else(|| self.headers.get("grpc-status"))?;
        value.to_str().ok()?.parse().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What the upstream saw, when the answer comes from it.
    ///
    /// # Errors
    /// When it does not.
    pub fn echo(&self) -> anyhow::Result<Echo> {
        let json = if self.header("content-type").starts_with("application/grpc") {
            self.body.get(5..).unwrap_or_default()
        } else {
            &self.body
        };
        serde_json::from_slice(json).with_context(|| format!("not an echo: {} {}", self.status, self.text()))
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// A client with one connection, opened when needed and again after it was closed.
pub struct Client {
    port: u16,
    protocol: Protocol,
    tls: Option<Arc<rustls::ClientConfig>>,
    sender: Option<Sender>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("port", &self.port).field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of a port on loopback.
    pub fn new(port: u16, protocol: Protocol) -> Self {
        Self { port, protocol, tls: None, sender: None }
    }

    /// With TLS.
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection fails or nothing comes for a minute.
    pub async fn send(&mut self, ask: &Ask) -> anyhow::Result<Reply> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(ask)).await;
        let answer = answer.unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}")));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, ask: &Ask) -> anyhow::Result<Reply> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let request = ask.request(self.protocol, scheme)?;
        let usable = match &self.sender {
            Some(Sender::Http1(sender)) => !sender.is_closed(),
            Some(Sender::Http2(sender)) => !sender.is_closed(),
            None => false,
        };
        if !usable {
            self.sender = Some(self.connect(&ask.host).await?);
        }
        let response = match &mut self.sender {
            Some(Sender::Http1(sender)) => {
                sender.ready().await.context("the connection is not ready")?;
                sender.send_request(request).await
            }
            Some(Sender::Http2(sender)) => {
                sender.ready().await.context("the connection is not ready")?;
                sender.send_request(request).await
            }
            None => bail!("not connected"),
        };
        read(response.context("the request failed")?).await
    }

    async fn connect(&self, host: &str) -> anyhow::Result<Sender> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.context("cannot connect")?;
        stream.set_nodelay(true).context("cannot set an option")?;
        let Some(config) = &self.tls else { return handshake(stream, self.protocol).await };
        let mut config = rustls::ClientConfig::clone(config);
        config.alpn_protocols =
            vec![if self.protocol == Protocol::Http1 { b"http/1.1".to_vec() } else { b"h2".to_vec() }];
        let name = ServerName::try_from(host.to_owned()).context("the host is no server name")?;
        let stream =
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.context("the TLS handshake failed")?;
        handshake(stream, self.protocol).await
    }
}

async fn handshake<S>(stream: S, protocol: Protocol) -> anyhow::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(stream);
    match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(io).await.context("no HTTP/1.1")?;
            tokio::spawn(connection);
            Ok(Sender::Http1(sender))
        }
        Protocol::Http2 | Protocol::Grpc => {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.context("no HTTP/2")?;
            tokio::spawn(connection);
            Ok(Sender::Http2(sender))
        }
    }
}

async fn read(response: Response<Incoming>) -> anyhow::Result<Reply> {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.context("the answer broke off")?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, trailers, body: collected.to_bytes() })
}

/// Sends bytes as they are and returns what comes back until the server closes or falls silent.
///
/// # Errors
/// When the connection cannot be opened.
pub async fn raw(port: u16, bytes: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("cannot connect")?;
    stream.write_all(bytes).await.context("cannot send")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16_384];
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(SILENCE, stream.read(&mut buffer)).await {
        answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// TLS that trusts one authority, given as PEM.
///
/// # Errors
/// When the PEM holds no certificate.
pub fn tls_trusting(authority_pem: &str) -> anyhow::Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority_pem.as_bytes()).context("no certificate")?)
        .context("not an authority")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS version")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The host of requests that name no other.
const HOST: &str = "api.example.com";
const PATIENCE: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_millis(700);
