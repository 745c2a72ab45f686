//! From rounds to one line per case.
//!
//! Noise only adds, so the lowest clean figure is the best estimate; the median says how far to trust it. A round in which others
//! used much of a core while one of the programs ran is left out for all of them, unless there is no other.

use serde::Serialize;

use super::case::{CASES, Case};
use super::measure::Round;
use super::programs::Program;
use crate::rounds::summary::{least, median, mib, most};

/// One case over all rounds; the form of the JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Name of the case.
    pub case: &'static str,
    /// What it is, in words.
    pub title: &'static str,
    /// Processors of Gatehouse and of the plugin.
    pub workers: usize,
    /// The no-op server.
    pub noop: Figures,
    /// `gatehouse opa run`
    pub gatehouse: Figures,
    /// opa-envoy-plugin
    pub plugin: Figures,
    /// Cost of Gatehouse in costs of the no-op server.
    pub gatehouse_to_noop: Ratio,
    /// The same of the plugin.
    pub plugin_to_noop: Ratio,
    /// Cost of the plugin in costs of Gatehouse.
    pub plugin_to_gatehouse: Ratio,
    /// One evaluation without gRPC, in nanoseconds of CPU time, lowest round.
    pub engine_ns: f64,
    /// The same, median.
    pub engine_ns_median: f64,
    /// Which machine evaluates, and why not the faster one.
    pub engine: String,
    /// Rounds that count.
    pub rounds_clean: usize,
    /// Rounds in which others used too much of a core.
    pub rounds_noisy: usize,
}

/// What one program needs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Figures {
    /// CPU time per request, lowest round.
    pub cpu_us: f64,
    /// The same, median.
    pub cpu_us_median: f64,
    /// Requests per second as counted, median.
    pub requests_per_second: f64,
    /// Memory after the load, highest round.
    pub rss_mib: f64,
    /// Share of answers that were refusals, as they had to be.
    pub denied: f64,
}

/// How two programs compare.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Ratio {
    /// Lowest round to lowest round.
    pub lowest: f64,
    /// Median of the ratios within a round.
    pub median: f64,
}

/// Lines for all cases that were measured, in the order of the table.
pub fn summarize(rounds: &[Vec<Round>]) -> Vec<Line> {
    let of = |case: &Case| -> Vec<&Round> { rounds.iter().flatten().filter(|round| round.case == case.name).collect() };
    CASES.iter().filter_map(|case| line(case, &of(case))).collect()
}

fn line(case: &'static Case, all: &[&Round]) -> Option<Line> {
    let is_clean = |round: &Round| round.samples.iter().all(|sample| !sample.report.is_noisy());
    let clean: Vec<&Round> = all.iter().copied().filter(|round| is_clean(round)).collect();
    let (rounds_clean, rounds_noisy) = (clean.len(), all.len() - clean.len());
    let used = if clean.is_empty() { all } else { &clean };
    let [noop, gatehouse, plugin] = Program::ALL.map(|program| figures(used, program));
    let ratio = |a: Program, b: Program| {
        let within = used.iter().filter_map(|round| Some(cost(round, a)? / cost(round, b)?));
        let lowest = |program| least(used.iter().filter_map(|round| cost(round, program)));
        Some(Ratio { lowest: lowest(a)? / lowest(b)?, median: median(within) })
    };
    Some(Line {
        case: case.name,
        title: case.title,
        workers: case.workers,
        noop: noop?,
        gatehouse: gatehouse?,
        plugin: plugin?,
        gatehouse_to_noop: ratio(Program::Gatehouse, Program::NoOp)?,
        plugin_to_noop: ratio(Program::Plugin, Program::NoOp)?,
        plugin_to_gatehouse: ratio(Program::Plugin, Program::Gatehouse)?,
        engine_ns: least(all.iter().map(|round| round.engine.nanos))?,
        engine_ns_median: median(all.iter().map(|round| round.engine.nanos)),
        engine: all.first()?.engine.kind.clone(),
        rounds_clean,
        rounds_noisy,
    })
}

fn cost(round: &Round, program: Program) -> Option<f64> {
    let sample = round.samples.iter().find(|sample| sample.program == program)?;
    Some(sample.report.server_cpu_us)
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 requests")]
fn figures(rounds: &[&Round], program: Program) -> Option<Figures> {
    let samples = || rounds.iter().filter_map(|round| round.samples.iter().find(|sample| sample.program == program));
    let costs = || samples().map(|sample| sample.report.server_cpu_us);
    Some(Figures {
        cpu_us: least(costs())?,
        cpu_us_median: median(costs()),
        requests_per_second: median(samples().map(|sample| sample.report.requests as f64 / sample.report.seconds)),
        rss_mib: most(samples().map(|sample| mib(sample.resident_after))),
        denied: median(samples().map(|sample| sample.report.denied as f64 / sample.report.requests as f64)),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::engine::EngineSample;
    use super::super::measure::Sample;
    use super::*;
    use crate::load::{Latency, LoadReport};

    /// A round with these costs of no-op, Gatehouse and plugin.
    pub(in super::super) fn round(case: &'static str, costs: [f64; 3], foreign_cpu: f64) -> Round {
        let report = |server_cpu_us| LoadReport {
            requests: 800,
            seconds: 1.0,
            wrong: 0,
            denied: 100,
            lost: 0,
            server_cpu_us,
            generator_cpu_us: 2.0,
            server_busy: 1.0,
            foreign_cpu,
            latency: Latency::default(),
            latency_clean: Latency::default(),
            stalls: 0,
        };
        let samples = Program::ALL.into_iter().zip(costs).map(|(program, cost)| Sample {
            program,
            report: report(cost),
            resident_after: 10 << 20,
        });
        Round { case, samples: samples.collect(), engine: EngineSample { nanos: 1500.0, kind: "rvm".to_owned() } }
    }

    #[test]
    fn noisy_rounds_are_left_out_for_all_programs() {
        let rounds = [
            vec![round("rbac", [10.0, 20.0, 200.0], 0.0)],
            vec![round("rbac", [8.0, 24.0, 160.0], 0.01)],
            vec![round("rbac", [1.0, 1.0, 1.0], 0.2)],
        ];
        let lines = summarize(&rounds);
        let [line] = lines.as_slice() else { panic!("one case") };
        assert_eq!((line.noop.cpu_us, line.gatehouse.cpu_us, line.plugin.cpu_us), (8.0, 20.0, 160.0));
        assert_eq!((line.gatehouse_to_noop.lowest, line.gatehouse_to_noop.median), (2.5, 2.5));
        assert_eq!(line.plugin_to_gatehouse.lowest, 8.0);
        assert_eq!((line.rounds_clean, line.rounds_noisy, line.gatehouse.denied), (2, 1, 0.125));
    }

    #[test]
    fn noisy_rounds_count_when_there_are_no_others() {
        let lines = summarize(&[vec![round("empty", [10.0, 20.0, 50.0], 0.3)]]);
        assert_eq!(lines.first().map(|line| (line.rounds_clean, line.gatehouse.cpu_us)), Some((0, 20.0)));
    }
}
