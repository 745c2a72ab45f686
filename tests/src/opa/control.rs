//! The services that OPA's configuration names: where bundles come from, and where status and decision logs go.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What stands at a path.
#[derive(Debug, Clone)]
pub enum Resource {
    /// A body with its version.
    Body {
        /// The bytes.
        bytes: Bytes,
        /// `ETag`.
        etag: String,
    },
    /// As [`Resource::Body`], on a server that holds requests back until there is another version.
    LongPolled {
        /// The bytes.
        bytes: Bytes,
        /// `ETag`.
        etag: String,
    },
    /// A status with some HTML.
    Status(u16),
    /// No answer.
    Never,
}

/// What was posted.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The path.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

#[derive(Debug, Default)]
struct State {
    resources: BTreeMap<String, Resource>,
    asked: BTreeMap<String, u64>,
    posted: Vec<Posted>,
    /// Posts are answered with this status.
    refuses: Option<u16>,
}

/// The server. It stops when dropped.
#[derive(Debug)]
pub struct ControlServer {
    port: u16,
    state: Arc<Mutex<State>>,
    task: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Listens on a port of loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the control server")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State::default()));
        let task = Some(tokio::spawn(serve(listener, Arc::clone(&state))));
        Ok(Self { port, state, task })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Puts something at a path such as `bundles/authz`.
    pub fn put(&self, path: &str, resource: Resource) {
        lock(&self.state).resources.insert(format!("/{path}"), resource);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> u64 {
        lock(&self.state).asked.get(&format!("/{path}")).copied().unwrap_or(0)
    }

    /// Answers posts with this status; as it should when `None`.
    pub fn refuse_posts(&self, status: Option<u16>) {
        lock(&self.state).refuses = status;
    }

    /// What was posted and acknowledged.
    pub fn posted(&self) -> Vec<Posted> {
        lock(&self.state).posted.clone()
    }

    /// Nobody listens any more.
    pub async fn down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Cancelled, as asked.
            let _cancelled = task.await;
        }
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When somebody else took it.
    pub async fn up(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        self.task = Some(tokio::spawn(serve(listener, Arc::clone(&self.state))));
        Ok(())
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    // Connections end with the server.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            // A client that goes away is no concern of the server.
            let _closed =
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    if request.method() == Method::POST {
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let mut state = lock(&state);
        return Ok(match state.refuses {
            Some(status) => plain(status, "no"),
            None => {
                state.posted.push(Posted { path, headers, body });
                plain(200, "")
            }
        });
    }
    *lock(&state).asked.entry(path.clone()).or_default() += 1;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (known, prefer) = (text("if-none-match"), text("prefer"));
    let wait =
        prefer.split_once("wait=").and_then(|(_, seconds)| seconds.parse().ok()).map_or(0, |seconds: u64| seconds);
    let until = Instant::now() + Duration::from_secs(wait);
    loop {
        let resource = lock(&state).resources.get(&path).cloned();
        let (bytes, etag, kind) = match resource {
            None => return Ok(plain(404, "<html>not here</html>")),
            Some(Resource::Status(status)) => return Ok(plain(status, "<html>sign in</html>")),
            Some(Resource::Never) => {
                tokio::time::sleep(Duration::from_secs(600)).await;
                return Ok(plain(500, ""));
            }
            Some(Resource::Body { bytes, etag }) => (bytes, etag, "application/gzip"),
            Some(Resource::LongPolled { bytes, etag }) => (bytes, etag, "application/vnd.openpolicyagent.bundles"),
        };
        let is_known = !etag.is_empty() && etag == known;
        if is_known && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let mut response = if is_known { plain(304, "") } else { Response::new(Full::new(bytes)) };
        if let (false, Ok(etag)) = (etag.is_empty(), etag.parse()) {
            response.headers_mut().insert("etag", etag);
        }
        response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
        return Ok(response);
    }
}

fn plain(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A bundle of these files.
pub fn bundle(files: &[(&str, &str)]) -> Bytes {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // Writing to memory does not fail.
        let _infallible = builder.append_data(&mut header, path, text.as_bytes());
    }
    builder.into_inner().and_then(flate2::write::GzEncoder::finish).unwrap_or_default().into()
}
