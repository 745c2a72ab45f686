//! Health and metrics over HTTP, on the caller's runtime: a busy worker never delays a probe.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::socket::{Bound, Stream};
use crate::config::Service;
use crate::services::Offer;

/// What the HTTP listener tells, and is told.
pub trait Probes: Send + Sync {
    /// Whether requests can be decided, and how each dependency is.
    fn readiness(&self) -> Readiness;

    /// The metrics in Prometheus' text format.
    fn metrics(&self) -> String;

    /// The certificate of a listener ends then (seconds since the epoch).
    fn certificate(&self, listener: &str, not_after: i64);
}

/// The body of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// True when requests can be decided.
    pub ready: bool,
    /// Every named dependency with its state.
    pub dependencies: Vec<Dependency>,
}

/// One dependency in `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// More about it; never a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The listener.
#[derive(Clone)]
pub(crate) struct HttpListener {
    pub(crate) offer: Arc<Offer>,
    pub(crate) uids: Arc<[u32]>,
    pub(crate) probes: Arc<dyn Probes>,
    pub(crate) draining: Arc<AtomicBool>,
}

impl HttpListener {
    /// Serves until told to stop.
    pub(crate) async fn run(self, bound: Bound, stop: CancellationToken) {
        let router = self.router();
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = bound.accept(&self.uids) => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok(Some(stream)) => {
                    let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
                    let router = router.clone();
                    connections.spawn(async move {
                        // A prober that goes away early is no event.
                        let _ = tokio::time::timeout(CONNECTION, connection(stream, router)).await;
                        drop(slot);
                    });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, address = %bound.address(), "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn router(&self) -> Router {
        let mut router = Router::new();
        if self.offer.serves.contains(&Service::Health) {
            let this = self.clone();
            let opa = self.clone();
            router = router
                .route("/health", get(move |RawQuery(query): RawQuery| async move { opa.health(query.as_deref()) }))
                .route("/livez", get(|| async { "ok\n" }))
                .route("/readyz", get(move || async move { this.readyz() }));
        }
        if self.offer.serves.contains(&Service::Metrics) {
            let probes = Arc::clone(&self.probes);
            router = router.route(
                "/metrics",
                get(move || async move { ([(header::CONTENT_TYPE, METRICS_TYPE)], probes.metrics()) }),
            );
        }
        router
    }

    /// As OPA's: that the process is there, or with `?bundles` or `?plugins` that requests can be decided.
    fn health(&self, query: Option<&str>) -> Response {
        let asks = |name: &str| name.starts_with("bundle") || name.starts_with("plugin");
        let all = query.is_some_and(|query| query.split('&').any(asks));
        if !all || (self.probes.readiness().ready && !self.draining.load(Ordering::Relaxed)) {
            return axum::Json(serde_json::json!({})).into_response();
        }
        let error = serde_json::json!({ "error": "not all bundles are active" });
        (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(error)).into_response()
    }

    fn readyz(&self) -> Response {
        let mut readiness = self.probes.readiness();
        if self.draining.load(Ordering::Relaxed) {
            readiness.ready = false;
            let draining = Dependency { name: "server".to_owned(), state: "draining".to_owned(), detail: None };
            readiness.dependencies.push(draining);
        }
        let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, axum::Json(readiness)).into_response()
    }
}

async fn connection(stream: Stream, router: Router) -> io::Result<()> {
    match stream {
        Stream::Unix(stream) => http(UnixStream::from_std(stream)?, router).await,
        Stream::Tcp(stream) => http(TcpStream::from_std(stream)?, router).await,
    }
}

async fn http<I>(io: I, router: Router) -> io::Result<()>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(5))
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(router))
        .await
        .map_err(io::Error::other)
}

/// Connections at once; probers and scrapers are few.
const MAX_CONNECTIONS: usize = 64;
/// Longest life of a connection, so that idle ones do not hold the slots.
const CONNECTION: Duration = Duration::from_secs(60);
/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
