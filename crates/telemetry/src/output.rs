//! Where log lines go: one writer thread behind a bounded queue.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{LogFormat, TelemetryConfig};
use crate::spans;

/// Lines that wait for the writer at most.
const QUEUE: usize = 8192;
/// How long lines gather before they are written together.
const GATHER: Duration = Duration::from_millis(5);
/// How long [`write_line`] waits for room.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

static QUEUED: OnceLock<(SyncSender<Message>, LogFormat, bool)> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The level is no filter.
    #[error("invalid log level")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// The writer thread did not start.
    #[error("cannot start the log writer")]
    Thread(#[from] io::Error),
    /// Spans cannot be sent.
    #[error("cannot send spans: {0}")]
    Spans(String),
    /// Something else has taken the place of the process's subscriber.
    #[error("logging is set up already")]
    Taken(#[from] TryInitError),
}

/// Sends and writes what is queued when dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct TelemetryGuard(());

/// Sets up logging, and spans where the configuration asks for them, for the process. Spans are sent by `client` on the runtime
/// that this is called in.
///
/// # Errors
/// [`InitError`].
pub fn init(config: &TelemetryConfig, client: net::Client) -> Result<TelemetryGuard, InitError> {
    let filter: EnvFilter = config.log.level.parse()?;
    let debug = filter.max_level_hint().is_none_or(|level| level >= tracing::level_filters::LevelFilter::DEBUG);
    let (sender, receiver) = sync_channel(QUEUE);
    std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || write_all(&receiver))?;
    let _first = QUEUED.set((sender, config.log.format, debug));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Queue);
    match config.log.format {
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
        LogFormat::Text => lines.with_ansi(false).finish().try_init()?,
    }
    if let Some(traces) = &config.traces {
        spans::start(traces, client).map_err(InitError::Spans)?;
    }
    Ok(TelemetryGuard(()))
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        spans::stop();
        let (done, flushed) = sync_channel(1);
        let sent = QUEUED.get().is_some_and(|(sender, ..)| sender.send(Message::Flush(done)).is_ok());
        if sent {
            let _in_time = flushed.recv_timeout(Duration::from_secs(2));
        }
    }
}

/// The form of decision lines, and whether allows are logged too; `None` before [`init`].
pub(crate) fn form() -> Option<(LogFormat, bool)> {
    QUEUED.get().map(|(_, format, debug)| (*format, *debug))
}

/// Queues a line; never waits. A full queue drops the line and counts it.
pub(crate) fn queue(line: Vec<u8>) {
    if let Some((sender, ..)) = QUEUED.get()
        && sender.try_send(Message::Line(line)).is_err()
    {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes a whole line, as it is, to where the log goes. Waits for room a moment, so it is not for threads that answer requests.
/// False when there was none.
pub fn write_line(line: Vec<u8>) -> bool {
    let Some((sender, ..)) = QUEUED.get() else { return false };
    let mut message = Message::Line(line);
    for _ in 0..LONGEST_WAIT.as_millis() / GATHER.as_millis() {
        match sender.try_send(message) {
            Ok(()) => return true,
            Err(TrySendError::Full(back)) => message = back,
            Err(TrySendError::Disconnected(_)) => break,
        }
        std::thread::sleep(GATHER);
    }
    DROPPED.fetch_add(1, Ordering::Relaxed);
    false
}

/// Lines dropped so far.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

fn write_all(lines: &Receiver<Message>) {
    let mut out = io::BufWriter::with_capacity(64 * 1024, io::stdout());
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        while let Some(message) = next {
            // A full disk or a closed pipe loses lines; requests are decided all the same.
            match message {
                Message::Line(line) => count_failure(&out.write_all(&line)),
                Message::Flush(done) => {
                    count_failure(&out.flush());
                    let _nobody_waits = done.send(());
                }
            }
            next = lines.try_recv().ok();
        }
        count_failure(&out.flush());
        // Lines gather meanwhile. Waiting for the next one at once would make every sender wake this thread up.
        std::thread::sleep(GATHER);
    }
}

fn count_failure(result: &io::Result<()>) {
    if result.is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// What `tracing` writes to: each event is one queued line.
struct Queue;

struct Event(Vec<u8>);

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Event;

    fn make_writer(&'a self) -> Event {
        Event(Vec::with_capacity(256))
    }
}

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            queue(std::mem::take(&mut self.0));
        }
    }
}
