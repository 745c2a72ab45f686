//! The tasks that keep keys fresh.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crypto::jose::MAX_JWKS_BYTES;
use net::{Client, Fetched, Get, Plaintext, Validators};

use super::Shared;
use super::cell::State;

/// The longest fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a file is looked at. It is read whole: sizes and times can stay the same when the contents do not.
const FILE_POLL: Duration = Duration::from_secs(1);

/// Where to fetch from.
pub(super) struct Fetching {
    pub(super) url: String,
    pub(super) plaintext: Plaintext,
    pub(super) client: Client,
}

/// Fetches at once, then every `refresh`, sooner when asked, with growing pauses while it fails.
pub(super) async fn fetch_for_ever(state: Arc<State>, from: Fetching, shared: Arc<Shared>) {
    let mut validators = Validators::default();
    let mut failures = 0_u32;
    loop {
        let asked = state.asked();
        let fetched = fetch(&state, &from, &mut validators).await;
        failures = if fetched.is_ok() { 0 } else { failures.saturating_add(1) };
        state.ended(&shared, asked, &fetched);
        let pause = jittered(pause(failures, state.times.refresh));
        let _asked = tokio::time::timeout(pause, state.wanted.notified()).await;
    }
}

async fn fetch(state: &State, from: &Fetching, validators: &mut Validators) -> Result<(), String> {
    let get = Get {
        address: &from.url,
        plaintext: from.plaintext,
        max_bytes: MAX_JWKS_BYTES,
        timeout: FETCH_TIMEOUT,
        validators,
    };
    match from.client.get(get).await.map_err(|error| chain(&error))? {
        Fetched::NotModified if state.is_loaded() => state.confirm(),
        Fetched::NotModified => return Err("the server says not modified, and there is nothing to keep".to_owned()),
        Fetched::Body { bytes, validators: new, content_type } => {
            state.accept(&bytes).map_err(|error| match content_type {
                Some(kind) => format!("{error} (content type `{kind}`)"),
                None => error,
            })?;
            *validators = new;
        }
    }
    Ok(())
}

/// Reads the file for the first time.
///
/// # Errors
/// A file that cannot be read, or is no key set.
pub(super) fn first_read(state: &State, path: &Path) -> Result<[u8; 32], String> {
    let json = read(path)?;
    state.accept(&json).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(crypto::sha256(&json))
}

/// Reads the file again and again. A file does not age while it can be read: it is what the operator says now.
pub(super) async fn watch_file(state: Arc<State>, path: PathBuf, mut seen: [u8; 32], shared: Arc<Shared>) {
    loop {
        let was_asked = tokio::time::timeout(FILE_POLL, state.wanted.notified()).await.is_ok();
        let asked = state.asked();
        let file = path.clone();
        let json = match tokio::task::spawn_blocking(move || read(&file)).await {
            Ok(json) => json,
            Err(stopped) => Err(stopped.to_string()),
        };
        let outcome = match json {
            Ok(json) => {
                let now = crypto::sha256(&json);
                let changed = std::mem::replace(&mut seen, now) != now;
                if !changed && !was_asked {
                    // What could not be used a moment ago is no better now.
                    if !state.has_failed() {
                        state.confirm();
                    }
                    continue;
                }
                state.accept(&json).map_err(|error| format!("{}: {error}", path.display()))
            }
            // Said once, not every second. The file may come back as it was.
            Err(_) if state.has_failed() && !was_asked => continue,
            Err(error) => {
                seen = [0; 32];
                Err(error)
            }
        };
        state.ended(&shared, asked, &outcome);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut json = Vec::new();
    // One byte more than is taken, so that what is too large is seen to be.
    let limit = u64::try_from(MAX_JWKS_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(failed)?.take(limit).read_to_end(&mut json).map_err(failed)?;
    Ok(json)
}

/// 1 s after the first failure, twice as long after each further one, up to 64 s; never longer than when all is well.
fn pause(failures: u32, refresh: Duration) -> Duration {
    match failures {
        0 => refresh,
        n => Duration::from_millis(500 << n.min(7)).min(refresh),
    }
}

/// Up to a tenth less, so that many gateways don't fetch at the same moment.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness there is no jitter, and nothing worse.
    let _none = crypto::random_bytes(&mut random);
    pause.mul_f64(1.0 - 0.1 * f64::from(u16::from_le_bytes(random)) / 65_536.0)
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
    fn pauses_grow_and_never_exceed_the_usual_one() {
        let refresh = Duration::from_secs(600);
        let secs: Vec<u64> = (0..10).map(|n| pause(n, refresh).as_secs()).collect();
        assert_eq!(secs, [600, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
        assert_eq!(pause(9, Duration::from_secs(5)), Duration::from_secs(5));
        assert_eq!(pause(u32::MAX, refresh), Duration::from_secs(64));
    }

    #[test]
    fn jitter_takes_a_tenth_at_most() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(100));
            assert!(pause > Duration::from_secs(89) && pause <= Duration::from_secs(100), "{pause:?}");
        }
    }
}
