//! A panic in a stage is a denial.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use model::{Denial, Reason};

/// Runs a journey; a panic on the way ends it as `internal`.
pub(crate) async fn caught<T>(journey: impl Future<Output = Result<T, Denial>>) -> Result<T, Denial> {
    let mut journey = pin!(journey);
    poll_fn(|context| {
        // What the journey touched is either thrown away with it or guarded by its own lock.
        catch_unwind(AssertUnwindSafe(|| journey.as_mut().poll(context)))
            .unwrap_or_else(|_panic| Poll::Ready(Err(Denial::new(Reason::Internal).because("a stage panicked"))))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_denial() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let broken = async { if std::hint::black_box(true) { panic!("oops") } else { Ok(()) } };
        let denial = runtime.block_on(caught(broken)).unwrap_err();
        assert_eq!(denial.reason, Reason::Internal);
        assert_eq!(runtime.block_on(caught(async { Ok(1) })), Ok(1));
    }
}
