//! One acceptor per listener: takes connections and hands them to the workers.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::http_listener::Probes;
use super::socket::{Bound, Stream};
use super::tls::LiveTls;
use super::worker::HandOut;
use crate::config::Address;
use crate::services::Offer;

/// A connection on its way to a worker.
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) offer: Arc<Offer>,
    pub(crate) tls: Option<Arc<LiveTls>>,
}

/// What accepts from one listener.
pub(crate) struct Acceptor {
    pub(crate) offer: Arc<Offer>,
    pub(crate) tls: Option<Arc<LiveTls>>,
    pub(crate) uids: Arc<[u32]>,
    pub(crate) hand_out: HandOut,
}

impl Acceptor {
    /// Accepts until told to stop; the listening socket is closed then.
    pub(crate) async fn run(self, bound: Bound, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = bound.accept(&self.uids) => accepted,
            };
            match accepted {
                Ok(Some(stream)) => {
                    let offer = Arc::clone(&self.offer);
                    if !self.hand_out.give(Accepted { stream, offer, tls: self.tls.clone() }) {
                        tracing::warn!(address = %bound.address(), "connection refused: too many are open");
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, address = %bound.address(), "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Looks at the certificate files again and again, and exchanges the configuration when they changed.
pub(crate) async fn watch_certificate(tls: Arc<LiveTls>, address: Address, poll: Duration, probes: Arc<dyn Probes>) {
    let name = address.to_string();
    probes.certificate(&name, tls.not_after());
    let (mut loaded, mut failed) = (tls.stamp(), None);
    loop {
        tokio::time::sleep(poll).await;
        let now = tls.stamp();
        if now == loaded {
            continue;
        }
        match tls.reload() {
            Ok(()) => {
                tracing::info!(%address, "certificate reloaded");
                probes.certificate(&name, tls.not_after());
                (loaded, failed) = (now, None);
            }
            // Files change one after the other, so it is tried again; told once per state of the files.
            Err(error) if failed.as_ref() != Some(&now) => {
                tracing::error!(%error, %address, "certificate not reloaded, the old one stays in use");
                failed = Some(now);
            }
            Err(_) => {}
        }
    }
}

/// Pause after a failed accept, so that a lack of descriptors does not spin.
const PAUSE: Duration = Duration::from_millis(50);
