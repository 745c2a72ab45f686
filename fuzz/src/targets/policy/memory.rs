//! Memory over a whole run.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was used after the first inputs is about what is used later.
pub(super) fn stays() {
    let number = INPUTS.fetch_add(1, Ordering::Relaxed) + 1;
    if !number.is_multiple_of(EVERY) {
        return;
    }
    let now = resident_mib();
    if number == WARM {
        AFTER_WARM_UP.store(now, Ordering::Relaxed);
    } else if number > WARM {
        let then = AFTER_WARM_UP.load(Ordering::Relaxed);
        assert!(now < then + MORE_MIB, "{now} MiB after {number} inputs; {then} MiB after {WARM}");
        if number.is_power_of_two() {
            eprintln!("memory: {now} MiB after {number} inputs; {then} MiB after {WARM}");
        }
    }
}

const EVERY: u64 = 1 << 10;
const WARM: u64 = 8 << 10;
/// Room for the inputs that a guided run keeps, and for holes between what is in use.
const MORE_MIB: u64 = 256;

static INPUTS: AtomicU64 = AtomicU64::new(0);
static AFTER_WARM_UP: AtomicU64 = AtomicU64::new(0);

/// `VmRSS` (proc_pid_status(5)); 0 where there is none.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() >> 10
}
