//! When a service is asked again.

use std::time::Duration;

/// The first delay after a failure.
pub(crate) const FIRST_RETRY: Duration = Duration::from_millis(100);

/// How long to wait, with chance in it, so that many nodes do not come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// When all is well, at least.
    pub min: Duration,
    /// At most, also after failures.
    pub max: Duration,
}

impl Delays {
    /// Somewhere between both.
    pub(crate) fn usual(self) -> Duration {
        self.min + self.max.saturating_sub(self.min).mul_f64(fraction())
    }

    /// Twice as long after each further failure, the last half of it by chance.
    pub(crate) fn after(self, failures: u32) -> Duration {
        let pause = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.max.max(FIRST_RETRY));
        pause.mul_f64(0.5 + fraction() / 2.0)
    }
}

/// From 0 to 1, by chance.
fn fraction() -> f64 {
    let mut random = [0; 4];
    // Without randomness all come at the same time, and nothing worse.
    let _none = crypto::random_bytes(&mut random);
    f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
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
