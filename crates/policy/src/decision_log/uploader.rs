//! Uploads what waits, chunk by chunk; a chunk is forgotten once the service has acknowledged it with 2xx.
//!
//! | answer | what happens |
//! |---|---|
//! | 2xx | the chunk is acknowledged |
//! | 400, 413, 415, 422 | it may be this chunk: the others are tried, it waits for the next round |
//! | any other, or none | the round ends, the next one comes after a growing delay |
//!
//! Nothing is given up: what waits is lost only when the spool has no room for it, and then it is counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::loss::Observer;
use super::store::Store;
use crate::opa::{Delays, FIRST_RETRY, ServiceClient, ServiceError, told};

/// For a whole upload.
const TIMEOUT: Duration = Duration::from_secs(10);
/// So many refusals after one another are not about the chunks.
const REFUSALS: usize = 3;

/// Why a round ended before all was uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There was no answer.
    #[error("no answer")]
    NoAnswer(#[from] ServiceError),
    /// The answer was not 2xx.
    #[error("the service answered {0}")]
    Status(u16),
    /// The task that reads or writes the spool failed.
    #[error("the spool failed")]
    Spool(#[from] tokio::task::JoinError),
}

/// Uploads what waits in a store.
pub struct Uploader {
    client: ServiceClient,
    path: String,
    delays: Delays,
    store: Arc<Store>,
    observer: Arc<dyn Observer>,
    /// One round at a time.
    busy: tokio::sync::Mutex<()>,
}

impl Uploader {
    /// Uploads go to `path` of the service.
    pub fn new(
        client: ServiceClient,
        path: String,
        delays: Delays,
        store: Arc<Store>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { client, path, delays, store, observer, busy: tokio::sync::Mutex::new(()) }
    }

    /// Uploads round by round until it is told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let pause = if failures == 0 { self.delays.usual().max(FIRST_RETRY) } else { self.delays.after(failures) };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            match self.round(&stop).await {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!(failures, "decision logs: uploaded again");
                    }
                    failures = 0;
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(error = told(&error), failures, "decision logs: upload failed, what waits stays");
                }
            }
        }
    }

    /// Uploads everything that there is now, within `time`; what does not get through stays in the store.
    pub async fn finish(&self, time: Duration) {
        let never = CancellationToken::new();
        match tokio::time::timeout(time, self.round(&never)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = told(&error), "decision logs: the last upload failed, what waits stays");
            }
            Err(_late) => tracing::warn!("decision logs: no time for all uploads, what waits stays"),
        }
    }

    /// Uploads everything that there is now.
    ///
    /// # Errors
    /// [`UploadError`]: something still waits.
    pub async fn round(&self, stop: &CancellationToken) -> Result<(), UploadError> {
        let _one_at_a_time = self.busy.lock().await;
        self.blocking(|store| store.seal()).await?;
        let (mut last, mut in_a_row, mut outcome) = (None, 0, Ok(()));
        while let Some((number, bytes)) = self.blocking(move |store| store.next_after(last)).await? {
            last = Some(number);
            match self.upload(bytes).await {
                Ok(()) => {
                    in_a_row = 0;
                    self.blocking(move |store| store.acknowledged(number)).await?;
                }
                Err(UploadError::Status(status @ (400 | 413 | 415 | 422))) => {
                    in_a_row += 1;
                    self.store.refused(number);
                    outcome = Err(UploadError::Status(status));
                    if in_a_row == REFUSALS {
                        break;
                    }
                }
                Err(other) => return Err(other),
            }
            if stop.is_cancelled() {
                break;
            }
        }
        outcome
    }

    async fn upload(&self, bytes: Bytes) -> Result<(), UploadError> {
        let headers = [("content-type", "application/json"), ("content-encoding", "gzip")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = self.client.post(&self.path, headers.to_vec(), bytes, TIMEOUT).await;
        let result = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(UploadError::Status(answer.status)),
            Err(error) => Err(error.into()),
        };
        self.observer.uploaded(result.is_ok());
        result
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, UploadError> {
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || work(&store)).await?)
    }
}
