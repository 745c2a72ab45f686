//! What Linux says about processes and processors.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// CPU time that a process and its threads have used so far.
///
/// From `schedstat` of all threads, in nanoseconds, because `stat` counts in ticks of 10 ms.
///
/// # Errors
/// When the process is gone, or this is no Linux.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))?;
    let mut total = 0_u64;
    for thread in threads {
        let file = thread.context("cannot list threads")?.path().join("schedstat");
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(file) else { continue };
        total += first_number(&text).context("schedstat is not as expected")?;
    }
    Ok(Duration::from_nanos(total))
}

/// Memory of a process that is in RAM (`VmRSS`), in bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(first_number(line).context("VmRSS is not as expected")? * 1024)
}

/// Busy time of all processors so far, time stolen by the host included.
///
/// # Errors
/// When this is no Linux.
pub fn busy_time() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("no /proc/stat")?;
    let line = text.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("/proc/stat starts otherwise")?;
    // user nice system idle iowait irq softirq steal; the guest fields after them are part of user.
    let ticks: u64 = line
        .split_ascii_whitespace()
        .take(8)
        .enumerate()
        .filter(|(position, _)| !matches!(position, 3 | 4))
        .filter_map(|(_, number)| number.parse::<u64>().ok())
        .sum();
    Ok(TICK * u32::try_from(ticks).unwrap_or(u32::MAX))
}

/// The first two processors that this process may use: one for the server, one for the load generator.
///
/// # Errors
/// When there are fewer than two.
pub fn two_processors() -> anyhow::Result<(u32, u32)> {
    match processors()?.as_slice() {
        [server, generator, ..] => Ok((*server, *generator)),
        _ => bail!("benchmarks need two processors: one for the server, one for the load generator"),
    }
}

/// The processors that this process may use.
///
/// # Errors
/// When this is no Linux.
pub fn processors() -> anyhow::Result<Vec<u32>> {
    let text = fs::read_to_string("/proc/self/status").context("no /proc/self/status")?;
    let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).context("no Cpus_allowed_list")?;
    let bounds = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<u32>().ok().zip(last.parse::<u32>().ok())
    });
    Ok(bounds.flat_map(|(first, last)| first..=last).collect())
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// `USER_HZ` is 100 on every Linux that runs today.
const TICK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let pid = std::process::id();
        let before = cpu_time(pid).unwrap();
        let mut sum = 0_u64;
        while cpu_time(pid).unwrap() == before {
            sum = (0..10_000).fold(sum, u64::wrapping_add);
        }
        assert!(resident_bytes(pid).unwrap() > 1 << 18);
        assert!(busy_time().unwrap() > Duration::ZERO);
    }
}
