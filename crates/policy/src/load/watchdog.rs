//! Runs work that may never end on a thread of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// Deep policies need a deep stack while they are parsed and compiled.
const STACK_BYTES: usize = 64 << 20;
/// How many threads may have been given up before loading is refused: each one may use a whole core for ever.
const MAX_ABANDONED: usize = 2;

static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// Why there is no result.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WatchdogError {
    /// The deadline passed.
    #[error("took longer than {0:?}")]
    TooSlow(Duration),
    /// The work panicked.
    #[error("ended in a panic")]
    Panicked,
    /// Too many earlier runs never ended.
    #[error("refused: {MAX_ABANDONED} earlier attempts never ended")]
    Exhausted,
    /// No thread could be started.
    #[error("cannot start a thread")]
    NoThread,
}

/// Runs `work` and waits for it until `deadline` has passed. A thread cannot be stopped from outside: late work
/// is left alone, and its result is dropped.
pub(crate) fn run_with_deadline<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, WatchdogError> {
    if ABANDONED.load(Ordering::SeqCst) >= MAX_ABANDONED {
        return Err(WatchdogError::Exhausted);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let left = Arc::new(AtomicBool::new(false));
    let at_end = AtEnd(Arc::clone(&left));
    thread::Builder::new()
        .name("policy-load".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            // Dropped last, and in a panic too.
            let _at_end = at_end;
            // Nobody may be waiting any more.
            drop(sender.send(work()));
        })
        .map_err(|_no_thread| WatchdogError::NoThread)?;
    match receiver.recv_timeout(deadline) {
        Ok(result) => Ok(result),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            // Counted first, so that the thread never takes back what was not counted yet.
            ABANDONED.fetch_add(1, Ordering::SeqCst);
            if left.swap(true, Ordering::SeqCst) {
                ABANDONED.fetch_sub(1, Ordering::SeqCst);
            }
            Err(WatchdogError::TooSlow(deadline))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(WatchdogError::Panicked),
    }
}

/// Marks the end of a thread. Of its end and its abandonment, whichever comes second finds the mark.
struct AtEnd(Arc<AtomicBool>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if self.0.swap(true, Ordering::SeqCst) {
            ABANDONED.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_panics_and_late_work() {
        assert_eq!(run_with_deadline(Duration::from_secs(10), || 7), Ok(7));
        assert_eq!(
            run_with_deadline(Duration::from_secs(10), || panic!("boom")),
            Err::<(), _>(WatchdogError::Panicked)
        );
        let (release, blocked) = mpsc::channel::<()>();
        let late = run_with_deadline(Duration::from_millis(20), move || blocked.recv().is_ok());
        assert_eq!(late, Err(WatchdogError::TooSlow(Duration::from_millis(20))));
        drop(release);
    }
}
