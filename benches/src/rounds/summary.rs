//! From samples to one line per case.
//!
//! Noise only adds, so the lowest clean figure is the best estimate; the median says how far to trust it.

use serde::Serialize;

use super::case::{CASES, Case};
use super::measure::Sample;

/// One case over all rounds; the form of `latest.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Name of the case.
    pub case: &'static str,
    /// CPU time of the server per request at full speed, lowest clean round.
    pub cpu_us_per_request: f64,
    /// What one core could do at that price.
    pub requests_per_second_per_core: f64,
    /// Latency at the fixed rate, lowest clean round.
    pub p50_us: f64,
    /// The same.
    pub p99_us: f64,
    /// The same.
    pub p999_us: f64,
    /// Memory after the load, highest round.
    pub rss_mib: f64,
    /// Throughput as a share of the no-op server's, lowest round to lowest round.
    pub ratio_to_noop: f64,
    /// Median over the clean rounds.
    pub cpu_us_per_request_median: f64,
    /// Median over the rounds of the ratio within a round.
    pub ratio_to_noop_median: f64,
    /// Medians over the clean rounds.
    pub p50_us_median: f64,
    /// The same.
    pub p99_us_median: f64,
    /// The same.
    pub p999_us_median: f64,
    /// Latency with 64 requests always under way, median.
    pub saturated_p50_us_median: f64,
    /// The same.
    pub saturated_p99_us_median: f64,
    /// CPU time per request at the fixed rate, median: each request wakes the process up.
    pub paced_cpu_us_per_request_median: f64,
    /// Requests per second at full speed as counted, median.
    pub requests_per_second_measured_median: f64,
    /// Memory before the first request, highest round.
    pub rss_idle_mib: f64,
    /// Share of answers that were refusals, as they had to be.
    pub denied: f64,
    /// Rounds that count.
    pub rounds_clean: usize,
    /// Rounds in which others used more than 5 % of a core: left out, unless there are no clean ones.
    pub rounds_noisy: usize,
    /// The goal for `ratio_to_noop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<f64>,
}

/// Lines for all cases that were measured, in the order of the table. Each inner list is one round.
pub fn summarize(rounds: &[Vec<Sample>]) -> Vec<Summary> {
    CASES.iter().filter_map(|case| summary(case, rounds)).collect()
}

fn summary(case: &'static Case, rounds: &[Vec<Sample>]) -> Option<Summary> {
    let all: Vec<&Sample> = rounds.iter().filter_map(|round| find(round, case.name)).collect();
    let clean: Vec<&Sample> = usable(&all);
    let yardstick: Vec<&Sample> = rounds.iter().filter_map(|round| find(round, case.yardstick)).collect();
    let cost = |sample: &&Sample| sample.saturated.server_cpu_us;
    let lowest = least(clean.iter().map(cost))?;
    let lowest_noop = least(usable(&yardstick).iter().map(cost))?;
    let ratio = |round: &Vec<Sample>, noise_allowed: bool| {
        let (ours, noop) = (find(round, case.name)?, find(round, case.yardstick)?);
        (noise_allowed || is_clean(ours) && is_clean(noop)).then(|| cost(&noop) / cost(&ours))
    };
    let mut ratios: Vec<_> = rounds.iter().filter_map(|round| ratio(round, false)).collect();
    if ratios.is_empty() {
        ratios = rounds.iter().filter_map(|round| ratio(round, true)).collect();
    }
    let middle = |value: fn(&Sample) -> f64| median(clean.iter().map(|sample| value(sample)));
    let low = |value: fn(&Sample) -> f64| least(clean.iter().map(|sample| value(sample))).unwrap_or_default();
    Some(Summary {
        case: case.name,
        cpu_us_per_request: lowest,
        requests_per_second_per_core: 1e6 / lowest,
        p50_us: low(|s| s.paced.latency_clean.p50_us),
        p99_us: low(|s| s.paced.latency_clean.p99_us),
        p999_us: low(|s| s.paced.latency_clean.p999_us),
        rss_mib: most(all.iter().map(|sample| mib(sample.resident_after))),
        ratio_to_noop: lowest_noop / lowest,
        cpu_us_per_request_median: median(clean.iter().map(cost)),
        ratio_to_noop_median: median(ratios.into_iter()),
        p50_us_median: middle(|s| s.paced.latency_clean.p50_us),
        p99_us_median: middle(|s| s.paced.latency_clean.p99_us),
        p999_us_median: middle(|s| s.paced.latency_clean.p999_us),
        saturated_p50_us_median: middle(|s| s.saturated.latency_clean.p50_us),
        saturated_p99_us_median: middle(|s| s.saturated.latency_clean.p99_us),
        paced_cpu_us_per_request_median: middle(|s| s.paced.server_cpu_us),
        requests_per_second_measured_median: middle(per_second),
        rss_idle_mib: most(all.iter().map(|sample| mib(sample.resident_idle))),
        denied: middle(denied_share),
        rounds_clean: all.iter().filter(|sample| is_clean(sample)).count(),
        rounds_noisy: all.iter().filter(|sample| !is_clean(sample)).count(),
        goal: case.goal,
    })
}

fn find<'a>(round: &'a [Sample], case: &str) -> Option<&'a Sample> {
    round.iter().find(|sample| sample.case == case)
}

/// The clean samples; all of them when none is clean, which the number of clean rounds then says.
fn usable<'a>(all: &[&'a Sample]) -> Vec<&'a Sample> {
    let clean: Vec<_> = all.iter().copied().filter(|sample| is_clean(sample)).collect();
    if clean.is_empty() { all.to_vec() } else { clean }
}

fn is_clean(sample: &Sample) -> bool {
    !sample.saturated.is_noisy() && !sample.paced.is_noisy()
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 requests")]
fn per_second(sample: &Sample) -> f64 {
    sample.saturated.requests as f64 / sample.saturated.seconds
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 requests")]
fn denied_share(sample: &Sample) -> f64 {
    sample.saturated.denied as f64 / sample.saturated.requests as f64
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^53 bytes")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

pub(crate) fn least(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.min_by(f64::total_cmp)
}

pub(crate) fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.max_by(f64::total_cmp).unwrap_or_default()
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or_default();
    let lower = values.get(middle.saturating_sub(1)).copied().unwrap_or(upper);
    if values.len().is_multiple_of(2) { f64::midpoint(lower, upper) } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Latency, LoadReport};

    fn sample(case: &'static str, cpu_us: f64, foreign_cpu: f64) -> Sample {
        let report = LoadReport {
            requests: 800,
            seconds: 1.0,
            wrong: 0,
            denied: 100,
            lost: 0,
            server_cpu_us: cpu_us,
            generator_cpu_us: 2.0,
            server_busy: 1.0,
            foreign_cpu,
            latency: Latency::default(),
            latency_clean: Latency::default(),
            stalls: 0,
        };
        let (resident_idle, resident_after) = (10 << 20, 12 << 20);
        Sample { case, saturated: report.clone(), paced: report, resident_idle, resident_after }
    }

    #[test]
    fn the_lowest_clean_round_counts_and_noisy_ones_are_said() {
        let rounds = vec![
            vec![sample("noop_check", 10.0, 0.0), sample("jwt_scopes", 20.0, 0.0)],
            vec![sample("jwt_scopes", 16.0, 0.01), sample("noop_check", 12.0, 0.0)],
            vec![sample("jwt_scopes", 5.0, 0.2), sample("noop_check", 11.0, 0.0)],
        ];
        let lines = summarize(&rounds);
        let jwt = lines.iter().find(|line| line.case == "jwt_scopes").unwrap();
        assert_eq!((jwt.cpu_us_per_request, jwt.ratio_to_noop), (16.0, 0.625));
        assert_eq!((jwt.rounds_clean, jwt.rounds_noisy), (2, 1));
        // 10/20 and 12/16; the noisy round does not count.
        assert_eq!(jwt.ratio_to_noop_median, 0.625);
        assert_eq!((jwt.denied, jwt.rss_idle_mib, jwt.rss_mib), (0.125, 10.0, 12.0));
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([].into_iter()), 0.0);
    }
}
