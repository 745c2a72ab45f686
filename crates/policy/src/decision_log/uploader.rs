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
use crate::opa::{ServiceClient, ServiceError};

/// The first delay after a failure.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// For a whole upload.
const TIMEOUT: Duration = Duration::from_secs(10);
/// So many refusals after one another are not about the chunks.
const REFUSALS: usize = 3;

/// When uploads are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// Between rounds at least.
    pub min: Duration,
    /// Between rounds at most, also after failures.
    pub max: Duration,
}

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
            let pause = if failures == 0 { self.delays.usual() } else { self.delays.after(failures) };
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
                    tracing::warn!(error = chain(&error), failures, "decision logs: upload failed, what waits stays");
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
                tracing::warn!(error = chain(&error), "decision logs: the last upload failed, what waits stays");
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

impl Delays {
    /// Somewhere between both.
    fn usual(self) -> Duration {
        (self.min + self.max.saturating_sub(self.min).mul_f64(fraction())).max(FIRST_RETRY)
    }

    /// Twice as long after each further failure, the last half of it by chance, so that not all come back at once.
    fn after(self, failures: u32) -> Duration {
        let pause = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.max.max(FIRST_RETRY));
        pause.mul_f64(0.5 + fraction() / 2.0)
    }
}

/// From 0 to 1, by chance.
fn fraction() -> f64 {
    let mut random = [0; 4];
    // Without randomness uploads are made at the same time everywhere, and nothing worse.
    let _none = crypto::random_bytes(&mut random);
    f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_between_their_ends() {
        let delays = Delays { min: Duration::from_secs(300), max: Duration::from_secs(600) };
        let usual: Vec<Duration> = (0..100).map(|_| delays.usual()).collect();
        assert!(usual.iter().all(|delay| (delays.min..=delays.max).contains(delay)));
        assert!(usual.iter().any(|delay| *delay != usual[0]));
        for (failures, longest) in [(1, 100), (2, 200), (5, 1_600), (30, 600_000), (u32::MAX, 600_000)] {
            let longest = Duration::from_millis(longest);
            let delay = delays.after(failures);
            assert!((longest / 2..=longest).contains(&delay), "{failures}: {delay:?}");
        }
    }
}
