//! Listeners, workers, drain.
//!
//! Connections are accepted on the caller's runtime and handed to worker threads, each with a runtime of its own;
//! a connection and all its requests stay on one worker.

mod accept;
mod connection;
mod http_listener;
mod preface;
mod socket;
pub(crate) mod tls;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::config::{Address, ListenerPlan, ServerPlan};
use crate::decide::Decide;
use crate::reflection::Reflection;
use crate::services::{Offer, Shared};
use crate::wire::refuse;
use accept::Acceptor;
use socket::Bound;
use tls::{LiveTls, TlsError};
use worker::Workers;

pub use http_listener::{Dependency, Probes, Readiness};

/// What a gateway is made of.
pub struct GatewayParts<D> {
    /// The compiled `server` section.
    pub plan: ServerPlan,
    /// What decides.
    pub decide: Arc<D>,
    /// What the HTTP listener tells.
    pub probes: Arc<dyn Probes>,
    /// Told where each listener is bound, in the order of the plan; for ports that the system chooses.
    pub bound: Option<tokio::sync::oneshot::Sender<Vec<Address>>>,
}

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Address,
        /// The cause.
        source: io::Error,
    },
    /// TLS of a listener could not be set up.
    #[error("cannot set up TLS on {address}")]
    Tls {
        /// The address.
        address: Address,
        /// The cause.
        source: TlsError,
    },
    /// A worker thread could not be started.
    #[error("cannot start a worker thread")]
    Worker(#[source] io::Error),
    /// The reflection service could not be built.
    #[error("cannot build the reflection service")]
    Reflection(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Opens the listeners and serves until `shutdown`; returns when all connections have ended, or `drain` has passed.
///
/// # Errors
/// [`ServeError`] when something could not be opened; nothing is served then.
pub async fn serve<D: Decide>(parts: GatewayParts<D>, shutdown: CancellationToken) -> Result<(), ServeError> {
    let GatewayParts { plan, decide, probes, bound } = parts;
    let plan = Arc::new(plan);
    let mut opened = Vec::new();
    for listener in &plan.listeners {
        opened.push(open(listener)?);
    }
    let addresses = opened.iter().map(|one| one.bound.address()).collect();
    let reporter = HealthReporter::new();
    let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    let shared = Arc::new(Shared {
        decide,
        plan: Arc::clone(&plan),
        in_flight: AtomicUsize::new(0),
        health,
        reflection: Reflection::new().map_err(|error| ServeError::Reflection(error.into()))?,
        overloaded: refuse(model::Reason::Overloaded),
    });
    let closing = CancellationToken::new();
    let mut workers = Workers::start(&shared, &closing).map_err(ServeError::Worker)?;
    set_health(&reporter, ServingStatus::Serving).await;

    let (accepting, draining) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    let common = Common { workers: &workers, plan: &plan, probes: &probes, draining: &draining, stop: &accepting };
    for one in opened {
        one.spawn(&mut tasks, &common);
    }
    if let Some(bound) = bound {
        // Nobody may be waiting for it any more.
        let _ = bound.send(addresses);
    }

    shutdown.cancelled().await;
    tracing::info!("draining");
    draining.store(true, Ordering::Relaxed);
    set_health(&reporter, ServingStatus::NotServing).await;
    tokio::time::sleep(plan.drain_notice).await;
    accepting.cancel();
    closing.cancel();
    workers.stop();
    let grace = plan.drain + FORCE;
    if tokio::time::timeout(grace, workers.join()).await.is_err() {
        tracing::warn!("worker threads did not end in time");
    }
    tasks.shutdown().await;
    Ok(())
}

async fn set_health(reporter: &HealthReporter, status: ServingStatus) {
    for name in ["", "envoy.service.auth.v3.Authorization", "envoy.service.ratelimit.v3.RateLimitService"] {
        reporter.set_service_status(name, status).await;
    }
}

/// One open listener.
struct Opened {
    bound: Bound,
    offer: Arc<Offer>,
    tls: Option<Arc<LiveTls>>,
    uids: Arc<[u32]>,
    http: bool,
}

fn open(plan: &ListenerPlan) -> Result<Opened, ServeError> {
    let address = || plan.address.clone();
    let tls = match &plan.tls {
        Some(tls) => Some(Arc::new(
            LiveTls::start(tls.clone()).map_err(|source| ServeError::Tls { address: address(), source })?,
        )),
        None => None,
    };
    let bound = Bound::open(&plan.address, plan.socket.mode)
        .map_err(|source| ServeError::Listen { address: address(), source })?;
    tracing::info!(address = %bound.address(), serves = ?plan.serves, tls = tls.is_some(), "listening");
    Ok(Opened {
        bound,
        offer: Arc::new(Offer { serves: plan.serves.clone(), trusts: plan.trusts.clone() }),
        tls,
        uids: plan.socket.peer_uids.as_slice().into(),
        http: plan.is_http(),
    })
}

impl Opened {
    fn spawn(self, tasks: &mut JoinSet<()>, common: &Common<'_>) {
        if let Some(tls) = &self.tls {
            tasks.spawn(accept::watch_certificate(
                Arc::clone(tls),
                self.bound.address(),
                common.plan.certificate_poll,
                Arc::clone(common.probes),
            ));
        }
        if self.http {
            let listener = http_listener::HttpListener {
                offer: self.offer,
                uids: self.uids,
                probes: Arc::clone(common.probes),
                draining: Arc::clone(common.draining),
            };
            tasks.spawn(listener.run(self.bound, common.stop.clone()));
        } else {
            let acceptor = Acceptor {
                offer: self.offer,
                tls: self.tls,
                uids: self.uids,
                hand_out: common.workers.hand_out(common.plan.max_connections),
            };
            tasks.spawn(acceptor.run(self.bound, common.stop.clone()));
        }
    }
}

/// What all listeners are started with.
struct Common<'a> {
    workers: &'a Workers,
    plan: &'a ServerPlan,
    probes: &'a Arc<dyn Probes>,
    draining: &'a Arc<AtomicBool>,
    stop: &'a CancellationToken,
}

/// Time after `drain` for the threads themselves to end.
const FORCE: Duration = Duration::from_secs(2);
