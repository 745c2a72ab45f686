//! Decision logs: what was decided goes to a thread of its own, where input is made anew, masked and written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use bytes::Bytes;
use gateway::wire::{CheckIndex, Scratch};
use model::RequestView as _;
use policy::decision_log::event::{Decision, Origin};
use policy::decision_log::{Console, Logger, Loss, Observer, Settings, Store, Uploader};
use policy::opa::Record;
use telemetry::DecisionLogMetrics;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activation::Active;

/// Decisions that may wait, and the bytes of their requests.
const QUEUE: usize = 16_384;
const QUEUE_BYTES: usize = 64 << 20;
/// Decisions that are written before they are made to outlive the process.
const TOGETHER: usize = 256;

/// The way to the log.
pub(crate) struct Logs {
    sender: mpsc::Sender<Message>,
    waiting: Arc<AtomicUsize>,
    counted: Arc<Counted>,
    store: Option<Arc<Store>>,
    uploader: Option<Arc<Uploader>>,
}

enum Message {
    Decided(Box<Decided>),
    /// Everything before it is written when it is answered.
    Flush(oneshot::Sender<()>),
}

struct Decided {
    active: Arc<Active>,
    bytes: Bytes,
    record: Record,
    at: SystemTime,
}

impl Logs {
    /// Starts the thread that writes and the task that uploads, which ends with `stop`.
    ///
    /// # Errors
    /// The thread does not start.
    pub(crate) fn start(settings: Settings, origin: Origin, stop: CancellationToken) -> anyhow::Result<Arc<Self>> {
        let counted = Arc::new(Counted(DecisionLogMetrics::new(&Loss::ALL.map(Loss::as_str))));
        let observer = || Arc::clone(&counted) as Arc<dyn Observer>;
        let (mut store, mut uploader) = (None, None);
        if let Some(upload) = settings.upload {
            let opened = Store::open(&upload.store, observer());
            store = Some(Arc::clone(&opened));
            uploader = Some(Arc::new(Uploader::new(upload.client, upload.path, upload.delays, opened, observer())));
        }
        let console = settings.console.then(|| Box::new(ProcessLog) as Box<dyn Console>);
        let logger = Logger::new(origin, console, store.clone(), settings.per_second, observer());
        let (sender, receiver) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (handled, observer) = (Arc::clone(&waiting), observer());
        std::thread::Builder::new()
            .name("decision-logs".to_owned())
            .spawn(move || write_all(receiver, logger, &handled, observer.as_ref()))
            .context("cannot start the thread of the decision logs")?;
        if let Some(uploader) = uploader.clone() {
            tokio::spawn(async move { uploader.run(stop).await });
        }
        Ok(Arc::new(Self { sender, waiting, counted, store, uploader }))
    }

    /// Never waits: what finds no room is lost and counted.
    pub(crate) fn decided(&self, active: Arc<Active>, bytes: Bytes, record: Record) {
        let size = bytes.len();
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        let decided = Box::new(Decided { active, bytes, record, at: SystemTime::now() });
        if before.saturating_add(size) > QUEUE_BYTES || self.sender.try_send(Message::Decided(decided)).is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.counted.lost(Loss::QueueFull, 1);
        }
    }

    /// Writes what was decided and uploads it within `time`; what is not uploaded by then stays on disk.
    pub(crate) async fn finish(&self, time: Duration) {
        let end = Instant::now() + time;
        let (done, written) = oneshot::channel();
        let flush = async { self.sender.send(Message::Flush(done)).await.is_ok() && written.await.is_ok() };
        if !tokio::time::timeout_at(end, flush).await.unwrap_or(false) {
            tracing::error!("decision logs: no time to write all of them");
        }
        if let Some(uploader) = &self.uploader {
            uploader.finish(end.saturating_duration_since(Instant::now())).await;
        }
        if let Some(store) = self.store.clone() {
            // It fails only with the process.
            let _ended = tokio::task::spawn_blocking(move || store.end()).await;
        }
    }

    /// In Prometheus' text format.
    pub(crate) fn encode(&self) -> String {
        self.counted.0.encode()
    }
}

fn write_all(
    mut messages: mpsc::Receiver<Message>,
    mut logger: Logger,
    waiting: &AtomicUsize,
    observer: &dyn Observer,
) {
    while let Some(first) = messages.blocking_recv() {
        let mut answers = Vec::new();
        let more = std::iter::from_fn(|| messages.try_recv().ok()).take(TOGETHER);
        for message in std::iter::once(first).chain(more) {
            match message {
                Message::Decided(decided) => {
                    let size = decided.bytes.len();
                    // One event that trips over a defect must not end the log.
                    if catch_unwind(AssertUnwindSafe(|| write(*decided, &mut logger))).is_err() {
                        observer.lost(Loss::Defect, 1);
                        tracing::error!("decision logs: a defect lost an event");
                    }
                    waiting.fetch_sub(size, Ordering::Relaxed);
                }
                Message::Flush(done) => answers.push(done),
            }
        }
        logger.flush();
        for done in answers {
            let _nobody_waits = done.send(());
        }
    }
}

fn write(decided: Decided, logger: &mut Logger) {
    let Decided { active, bytes, record, at } = decided;
    let scratch = Scratch::default();
    // It was decided, so it was parsed before.
    let view = CheckIndex::parse(&bytes, &scratch).ok();
    let input = view.as_ref().and_then(|view| active.plugin.input(view));
    let header = |view: &CheckIndex<'_>| {
        let found = view.headers().iter().find(|header| header.name == "traceparent")?;
        String::from_utf8(found.value.to_vec()).ok()
    };
    let traceparent = view.as_ref().and_then(header);
    let decision = Decision { record, input, revisions: &active.revisions, at, traceparent: traceparent.as_deref() };
    logger.log(&active.plugin, decision);
}

/// The log of the process.
struct ProcessLog;

impl Console for ProcessLog {
    fn write(&self, line: Vec<u8>) -> bool {
        telemetry::write_line(line)
    }
}

struct Counted(DecisionLogMetrics);

impl Observer for Counted {
    fn logged(&self) {
        self.0.logged();
    }

    fn lost(&self, loss: Loss, events: u64) {
        self.0.lost(loss.as_str(), events);
    }

    fn cache_dropped(&self, events: u64) {
        self.0.cache_dropped(events);
    }

    fn uploaded(&self, acknowledged: bool) {
        self.0.uploaded(acknowledged);
    }

    fn pending(&self, bytes: u64) {
        self.0.pending(bytes);
    }
}
