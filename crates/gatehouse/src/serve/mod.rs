//! `gatehouse serve`.
//!
//! Two kinds of threads: the workers of `gateway`, which decide, and a small runtime of our own for everything else:
//! keys, reload, health. Building a snapshot may take long and runs on neither.

mod decider;
mod probes;
mod reload;
pub(crate) mod signals;

use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use gateway::GatewayParts;
use parking_lot::Mutex;
use telemetry::Health;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::cli::ServeArgs;
use crate::engine::Engine;
use crate::failure::Failure;
use decider::Decider;
use probes::HealthProbes;
use reload::{Fixed, Reloader};

pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    // The allocator asks for huge pages: 2 MiB for each thread, most of which no thread here ever uses. Where the kernel has no such
    // switch, memory is all that it costs.
    let _more_memory_otherwise = rustix::thread::disable_transparent_huge_pages(true);
    let runtime = control_runtime()?;
    runtime.block_on(serve(args))
}

/// Threads for what is not a decision.
pub(crate) fn control_runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("cannot start the control runtime")
        .map_err(Failure::from)
}

async fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let loaded = settings::load(&args.config.config)?;
    let engine = Engine::start(&loaded.config, tokio::runtime::Handle::current())?;
    let _flushed_on_drop = telemetry::init(&loaded.config.telemetry, engine.client.clone())
        .context("cannot start telemetry (section `telemetry`)")?;
    let fixed = Fixed::of(&loaded.config);
    let keys = Arc::clone(&engine.keys);
    let built = tokio::task::spawn_blocking(move || settings::build(&loaded, &keys, 1))
        .await
        .context("building the configuration failed")??;
    for warning in built.report.findings() {
        tracing::warn!(problem = %warning, "configuration");
    }
    engine.keys.retain(built.snapshot.authenticator());
    let snapshot = Arc::new(ArcSwap::from_pointee(built.snapshot));
    let health = Arc::new(Health::new());
    let stop = CancellationToken::new();
    signals::stop_on_termination(stop.clone())?;
    let reloader = Reloader {
        path: args.config.config.clone(),
        fixed,
        keys: Arc::clone(&engine.keys),
        metrics: Arc::clone(&engine.services.metrics),
        health: Arc::clone(&health),
        snapshot: Arc::clone(&snapshot),
        generation: 1,
    };
    let reloading = tokio::spawn(reloader.run(built.files, signals::hangup()?, stop.clone()));
    let parts = GatewayParts {
        plan: built.plan,
        decide: Arc::new(Decider { snapshot, services: Arc::clone(&engine.services) }),
        probes: Arc::new(HealthProbes {
            health,
            keys: engine.keys,
            metrics: Arc::clone(&engine.services.metrics),
            store: Arc::clone(&engine.services.store),
            certificates: Mutex::default(),
        }),
        bound: None,
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = %args.config.config.display(), "gatehouse is starting");
    let served = gateway::serve(parts, stop.clone()).await;
    stop.cancel();
    // The reloader stops at the token; what it was building is not needed any more.
    let _stopped = reloading.await;
    served.context("cannot serve (section `server`)")?;
    tracing::info!("gatehouse has stopped");
    Ok(())
}
