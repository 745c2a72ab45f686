//! Worker threads: each runs its connections on a runtime of its own.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::Accepted;
use super::connection::Connection;
use crate::decide::Decide;
use crate::services::Shared;

/// The running workers.
pub(crate) struct Workers {
    lanes: Arc<[Lane]>,
    stop: CancellationToken,
    ended: Vec<oneshot::Receiver<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// The way to one worker.
struct Lane {
    sender: mpsc::Sender<Accepted>,
    open: Arc<AtomicUsize>,
}

/// Hands connections to the worker that has the fewest.
#[derive(Clone)]
pub(crate) struct HandOut {
    lanes: Arc<[Lane]>,
    max: usize,
}

impl HandOut {
    /// False when there are too many connections, and this one was closed.
    pub(crate) fn give(&self, accepted: Accepted) -> bool {
        let total: usize = self.lanes.iter().map(|lane| lane.open.load(Ordering::Relaxed)).sum();
        let Some(lane) = self.lanes.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed)) else { return false };
        if total >= self.max {
            return false;
        }
        lane.open.fetch_add(1, Ordering::Relaxed);
        let given = lane.sender.try_send(accepted).is_ok();
        if !given {
            lane.open.fetch_sub(1, Ordering::Relaxed);
        }
        given
    }
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn start<D: Decide>(shared: &Arc<Shared<D>>, closing: &CancellationToken) -> io::Result<Self> {
        let (mut lanes, mut ended, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        let stop = CancellationToken::new();
        for number in 0..shared.plan.workers {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let (end, on_end) = oneshot::channel();
            let open = Arc::new(AtomicUsize::new(0));
            let worker = Worker {
                shared: Arc::clone(shared),
                receiver,
                open: Arc::clone(&open),
                closing: closing.clone(),
                stop: stop.clone(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                LocalSet::new().block_on(&runtime, worker.run());
                let _ = end.send(());
            })?;
            lanes.push(Lane { sender, open });
            ended.push(on_end);
            threads.push(thread);
        }
        Ok(Self { lanes: lanes.into(), stop, ended, threads })
    }

    /// For an acceptor.
    pub(crate) fn hand_out(&self, max: usize) -> HandOut {
        HandOut { lanes: Arc::clone(&self.lanes), max }
    }

    /// No more connections are taken; those there are have `drain` to end.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the threads to end.
    pub(crate) async fn join(&mut self) {
        for ended in self.ended.drain(..) {
            // A thread that panicked has ended as well.
            let _ = ended.await;
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

struct Worker<D> {
    shared: Arc<Shared<D>>,
    receiver: mpsc::Receiver<Accepted>,
    open: Arc<AtomicUsize>,
    closing: CancellationToken,
    stop: CancellationToken,
}

/// Counts one open connection, until it is dropped.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<D: Decide> Worker<D> {
    async fn run(mut self) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = self.receiver.recv() => accepted,
            };
            let Some(accepted) = accepted else { break };
            let open = Open(Arc::clone(&self.open));
            let connection =
                Rc::new(Connection { shared: Arc::clone(&self.shared), offer: Arc::clone(&accepted.offer) });
            let closing = self.closing.clone();
            connections.spawn_local(async move {
                connection.run(accepted, closing).await;
                drop(open);
            });
        }
        connections.close();
        if tokio::time::timeout(self.shared.plan.drain, connections.wait()).await.is_err() {
            tracing::warn!(open = connections.len(), "connections were closed before they ended");
        }
    }
}

/// Connections that may wait for a worker.
const QUEUE: usize = 256;
