//! A server of key sets that can misbehave.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// As it should.
    None,
    /// With 503.
    Down,
    /// After 30 seconds.
    Slow,
    /// With an HTML page and 200.
    Html,
    /// With 10 MB.
    Huge,
}

/// The server. It stops when dropped.
#[derive(Debug)]
pub struct JwksServer {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    keys: Mutex<String>,
    fault: Mutex<Fault>,
    hits: AtomicU64,
}

impl JwksServer {
    /// Serves `keys` on a port of loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(keys: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the key server")?;
        let port = listener.local_addr().context("no address of the key server")?.port();
        let state = Arc::new(State { keys: Mutex::new(keys), fault: Mutex::new(Fault::None), hits: AtomicU64::new(0) });
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { port, state, task })
    }

    /// Where the keys are.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/jwks.json", self.port)
    }

    /// Serves other keys from now on.
    pub fn set_keys(&self, keys: String) {
        *self.state.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Answers so from now on.
    pub fn set_fault(&self, fault: Fault) {
        *self.state.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How often it was asked.
    pub fn hits(&self) -> u64 {
        self.state.hits.load(Ordering::Relaxed)
    }
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|_request| answer(Arc::clone(&state)));
            // A client that goes away is no concern of the server.
            let _closed =
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(state: Arc<State>) -> Result<Response<Full<Bytes>>, Infallible> {
    state.hits.fetch_add(1, Ordering::Relaxed);
    let fault = *state.fault.lock().unwrap_or_else(PoisonError::into_inner);
    let keys = state.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (status, kind, body) = match fault {
        Fault::None => (StatusCode::OK, "application/json", keys),
        Fault::Down => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "down".to_owned()),
        Fault::Slow => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            (StatusCode::OK, "application/json", keys)
        }
        Fault::Html => (StatusCode::OK, "text/html", "<!doctype html><title>Sign in</title>".to_owned()),
        Fault::Huge => (StatusCode::OK, "application/json", format!("{{\"keys\":[\"{}\"]}}", "A".repeat(10_000_000))),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
    Ok(response)
}
