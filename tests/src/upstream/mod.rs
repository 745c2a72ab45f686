//! The service behind Envoy: echoes each request it saw as JSON, so that a test can assert on exactly that.
//!
//! HTTP/1.1 and HTTP/2 on one port. A gRPC request gets its echo as one message with `grpc-status: 0`; a WebSocket
//! upgrade is accepted and its bytes come back.

mod websocket;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as the upstream saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// Method.
    pub method: String,
    /// Path and query, byte for byte.
    pub path: String,
    /// `Host` or `:authority`.
    pub host: String,
    /// Headers in the order they came.
    pub headers: Vec<(String, String)>,
    /// Length of the body.
    pub body_bytes: usize,
}

impl Echo {
    /// The values of a header, in any case and in either spelling of `-`.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let wanted = plain(name);
        self.headers.iter().filter(|(name, _)| plain(name) == wanted).map(|(_, value)| value.as_str()).collect()
    }
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// The running upstream. It stops when dropped.
#[derive(Debug)]
pub struct Upstream {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    hits: AtomicU64,
    /// Requests that lack the header which only Gatehouse can write.
    unmarked: AtomicU64,
    mark: Mutex<Option<(String, String)>>,
}

impl Upstream {
    /// Starts on a port of loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the upstream")?;
        let port = listener.local_addr().context("no address of the upstream")?.port();
        let state = Arc::new(State::default());
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { port, state, task })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many requests arrived.
    pub fn hits(&self) -> u64 {
        self.state.hits.load(Ordering::SeqCst)
    }

    /// From now on, counts requests that do not carry exactly this header value once.
    pub fn expect_mark(&self, name: &str, value: &str) {
        *self.state.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some((name.to_owned(), value.to_owned()));
    }

    /// How many requests arrived without the mark.
    pub fn unmarked(&self) -> u64 {
        self.state.unmarked.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&state)));
            let builder = auto::Builder::new(TokioExecutor::new());
            // A client that goes away is no concern of the server.
            let _closed = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(mut request: Request<Incoming>, state: Arc<State>) -> Result<Response<Body>, Infallible> {
    state.hits.fetch_add(1, Ordering::SeqCst);
    if let Some(response) = websocket::accept(&mut request) {
        return Ok(response.map(|()| Full::new(Bytes::new()).boxed()));
    }
    let (parts, body) = request.into_parts();
    // A body that breaks off counts as what came of it.
    let body_bytes = body.collect().await.map(|body| body.to_bytes().len()).unwrap_or_default();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let echo = Echo {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        host: parts.uri.authority().map_or_else(|| header("host"), ToString::to_string),
        headers: pairs(&parts.headers),
        body_bytes,
    };
    let mark = state.mark.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if mark.is_some_and(|(name, value)| echo.all(&name) != [value]) {
        state.unmarked.fetch_add(1, Ordering::SeqCst);
    }
    let json = serde_json::to_vec(&echo).unwrap_or_default();
    Ok(if header("content-type").starts_with("application/grpc") { grpc(&json) } else { plain_json(json) })
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn plain_json(json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(json)).boxed());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn grpc(message: &[u8]) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(crate::grpc_frame(message)).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}
