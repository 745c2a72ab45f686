//! What the system tells us.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Cancels `stop` at SIGTERM or SIGINT. A second signal ends the process at once.
pub(crate) fn stop_on_termination(stop: CancellationToken) -> Result<(), Failure> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        tracing::info!("told to stop: finishing the requests at work");
        stop.cancel();
        next(&mut terminate, &mut interrupt).await;
        tracing::warn!("told to stop again: not waiting any longer");
        std::process::exit(1);
    });
    Ok(())
}

/// SIGHUP.
pub(crate) fn hangup() -> Result<Signal, Failure> {
    listen(SignalKind::hangup())
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).context("cannot listen for signals").map_err(Failure::from)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
