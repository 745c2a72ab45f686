//! Asks for one bundle again and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::contents::{Bundle, ReadOptions};
use super::store::Store;
use crate::opa::config::Polling;
use crate::opa::{Delays, ServiceClient, ServiceError};

/// OPA's polling when nothing is configured.
const MIN_DELAY: Duration = Duration::from_secs(60);
const MAX_DELAY: Duration = Duration::from_secs(120);
/// How long a whole archive may take.
const TRANSFER: Duration = Duration::from_secs(300);
/// The largest archive.
const MAX_ARCHIVE_BYTES: usize = 256 << 20;
/// What a server says that holds requests back until there is news.
const LONG_POLLING: &str = "application/vnd.openpolicyagent.bundles";

/// Where a bundle comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// A resource of a service.
    Service(Box<ServiceClient>, String),
    /// A file or folder.
    Path(PathBuf),
}

/// What is new about a bundle.
#[derive(Debug)]
pub enum News {
    /// It was read. Whoever activates it says whether that worked: only then it is kept, and its version told to the server.
    Loaded {
        /// Its name.
        name: String,
        /// Its contents.
        bundle: Arc<Bundle>,
        /// Says that it decides now, or that it does not.
        activated: oneshot::Sender<bool>,
    },
    /// The server has nothing newer.
    Unchanged {
        /// Its name.
        name: String,
    },
    /// It could not be fetched or read.
    Failed {
        /// Its name.
        name: String,
        /// What went wrong.
        message: String,
        /// The status of HTTP, when that went wrong.
        http_code: Option<u16>,
    },
}

/// One bundle with where it comes from.
#[derive(Debug)]
pub struct Downloader {
    name: String,
    origin: Origin,
    delays: Delays,
    /// How long the server may hold a request back; `None` when it is not asked to.
    long_polling: Option<u64>,
    options: ReadOptions,
    store: Option<Store>,
    /// The version that decides.
    etag: Option<String>,
    /// Digest of the archive that was seen last, for origins that have no versions.
    seen: Option<[u8; 32]>,
    /// The server holds requests back.
    is_long_polling: bool,
}

/// How an attempt ended well.
enum Fetched {
    Unchanged,
    Archive { bytes: Bytes, etag: Option<String> },
}

struct Fault {
    message: String,
    http_code: Option<u16>,
}

impl Fault {
    fn of(message: impl ToString) -> Self {
        Self { message: message.to_string(), http_code: None }
    }
}

impl Downloader {
    pub(crate) fn new(
        name: &str,
        origin: Origin,
        polling: Polling,
        options: ReadOptions,
        store: Option<Store>,
    ) -> Self {
        let name = name.to_owned();
        let seconds = |value: Option<u64>, default| value.map_or(default, Duration::from_secs);
        let min = seconds(polling.min_delay_seconds, MIN_DELAY);
        let delays = Delays { min, max: seconds(polling.max_delay_seconds, MAX_DELAY).max(min) };
        let long_polling = polling.long_polling_timeout_seconds;
        Self { name, origin, delays, long_polling, options, store, etag: None, seen: None, is_long_polling: false }
    }

    /// Tells the news until the receiver is gone or `stop` is called. What was kept on disk comes first, if anything.
    pub async fn run(mut self, news: mpsc::Sender<News>, stop: CancellationToken) {
        let _stopped = stop.run_until_cancelled(self.poll(&news)).await;
    }

    async fn poll(&mut self, news: &mpsc::Sender<News>) {
        self.load_kept(news).await;
        let mut failures = 0_u32;
        while !news.is_closed() {
            let delay = match self.attempt(news).await {
                Ok(()) if self.is_long_polling => Duration::ZERO,
                Ok(()) => self.delays.usual(),
                Err(Fault { message, http_code }) => {
                    let name = self.name.clone();
                    // Nobody to tell: the loop ends.
                    let _closed = news.send(News::Failed { name, message, http_code }).await;
                    failures = failures.saturating_add(1);
                    tokio::time::sleep(self.delays.after(failures)).await;
                    continue;
                }
            };
            failures = 0;
            tokio::time::sleep(delay).await;
        }
    }

    /// The archive of an earlier run: decisions need not wait for the server.
    async fn load_kept(&mut self, news: &mpsc::Sender<News>) {
        let Some(store) = self.store.clone() else { return };
        let kept = tokio::task::spawn_blocking(move || store.load()).await;
        let problem = match kept {
            Ok(Ok(None)) => return,
            Ok(Ok(Some(bytes))) => match self.offer(bytes.into(), None, false, news).await {
                Ok(()) => return,
                Err(fault) => fault.message,
            },
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic.to_string(),
        };
        tracing::warn!(bundle = %self.name, problem, "the bundle that was kept on disk is of no use");
    }

    async fn attempt(&mut self, news: &mpsc::Sender<News>) -> Result<(), Fault> {
        match self.fetch().await? {
            Fetched::Unchanged => {
                // Nobody to tell: the loop ends.
                let _closed = news.send(News::Unchanged { name: self.name.clone() }).await;
                Ok(())
            }
            Fetched::Archive { bytes, etag } => self.offer(bytes, etag, true, news).await,
        }
    }

    /// Reads an archive and waits for what becomes of it.
    async fn offer(
        &mut self,
        bytes: Bytes,
        etag: Option<String>,
        keep: bool,
        news: &mpsc::Sender<News>,
    ) -> Result<(), Fault> {
        let digest = crypto::sha256(&bytes);
        let (archive, options) = (bytes.clone(), self.options.clone());
        let origin = self.origin.clone();
        let read = tokio::task::spawn_blocking(move || match &origin {
            Origin::Path(path) if path.is_dir() => Bundle::read_path(path, &options),
            Origin::Path(_) | Origin::Service(..) => Bundle::read(&archive, &options),
        })
        .await;
        let bundle = read.map_err(|panic| Fault::of(format!("reading it failed: {panic}")))?.map_err(Fault::of)?;
        let (activated, outcome) = oneshot::channel();
        let loaded = News::Loaded { name: self.name.clone(), bundle: Arc::new(bundle), activated };
        // Nobody to tell: the loop ends.
        let _closed = news.send(loaded).await;
        if outcome.await != Ok(true) {
            // Already told by who could not activate it; asked for again like anything that failed.
            return Err(Fault::of("it could not be activated"));
        }
        self.seen = Some(digest);
        self.etag = etag;
        if let (true, Some(store)) = (keep, self.store.clone()) {
            let saved = tokio::task::spawn_blocking(move || store.save(&bytes)).await;
            if let Err(error) = saved.unwrap_or_else(|panic| Err(std::io::Error::other(panic))) {
                tracing::error!(bundle = %self.name, %error, "the bundle decides, but cannot be kept on disk");
            }
        }
        Ok(())
    }

    async fn fetch(&mut self) -> Result<Fetched, Fault> {
        let (client, resource) = match &self.origin {
            Origin::Path(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_origin(&path)).await;
                let bytes = read.map_err(Fault::of)?.map_err(Fault::of)?;
                let is_same = self.seen == Some(crypto::sha256(&bytes));
                return Ok(if is_same { Fetched::Unchanged } else { Fetched::Archive { bytes, etag: None } });
            }
            Origin::Service(client, resource) => (client, resource),
        };
        let wait = self.long_polling.filter(|_| self.is_long_polling).unwrap_or(0);
        let prefer = if wait > 0 { format!("modes=snapshot;wait={wait}") } else { "modes=snapshot".to_owned() };
        let mut headers = vec![("prefer".to_owned(), prefer)];
        headers.extend(self.etag.clone().map(|etag| ("if-none-match".to_owned(), etag)));
        let answer = client.get(resource, headers, Duration::from_secs(wait), MAX_ARCHIVE_BYTES, TRANSFER).await;
        let answer = answer.map_err(|error: ServiceError| Fault::of(error))?;
        let is_long_polling =
            self.long_polling.is_some() && answer.header("content-type").is_some_and(|kind| kind == LONG_POLLING);
        match answer.status {
            304 => {
                self.is_long_polling = is_long_polling || self.is_long_polling && wait > 0;
                Ok(Fetched::Unchanged)
            }
            200 if answer.body.is_empty() => Ok(Fetched::Unchanged),
            200 => {
                self.is_long_polling = is_long_polling;
                let etag = answer.header("etag").map(str::to_owned);
                let is_same = etag.is_none() && self.seen == Some(crypto::sha256(&answer.body));
                Ok(if is_same { Fetched::Unchanged } else { Fetched::Archive { bytes: answer.body, etag } })
            }
            status => {
                self.is_long_polling = false;
                Err(Fault { message: format!("the server answered {status}"), http_code: Some(status) })
            }
        }
    }
}

/// The archive, or for a folder something that changes when its files do.
fn read_origin(path: &std::path::Path) -> Result<Bytes, String> {
    if path.is_dir() {
        return super::archive::fingerprint(path).map(Bytes::from).map_err(|error| error.to_string());
    }
    super::archive::read_file(path).map(Bytes::from).map_err(|error| error.to_string())
}
