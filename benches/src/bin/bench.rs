//! `bench`: measures Gatehouse against the no-op server, prints a table and writes `target/bench/latest.json`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use benches::fixture::Fixture;
use benches::procfs;
use benches::random::Random;
use benches::rounds::{Bench, CASES, Case, Sample, markdown, summarize};
use clap::Parser;

/// Measures Gatehouse against a server that decodes the request and does nothing.
///
/// Server and load generator have a core each. CPU time per request of the server counts. Every answer is checked.
/// Rounds in which other programs use more than 5 % of a core are left out, and the table says so.
#[derive(Debug, Parser)]
#[command(name = "bench", after_help = AFTER)]
struct Cli {
    /// Rounds; every case runs once in each, in another order
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=50))]
    rounds: u16,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Requests per second when latency is measured
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    rate: u32,
    /// Two short rounds: shows that everything works, its figures mean little
    #[arg(long)]
    quick: bool,
    /// Only this case and its yardstick; can be given several times
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// The program to measure; beside this one when absent
    #[arg(long)]
    gatehouse: Option<PathBuf>,
    /// Keep the folder with configurations and requests
    #[arg(long)]
    keep: bool,
}

const AFTER: &str = "Cases: noop_check, empty_route, five_thousand_routes, jwt_scopes, rego_rbac_limit, rego_rbac_limit_decision_cache, \
                     noop_rls, rls_one_descriptor";

fn main() -> ExitCode {
    match measure(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(cli: &Cli) -> anyhow::Result<()> {
    let cases = chosen(&cli.cases)?;
    let folder = tempfile::Builder::new().prefix("gatehouse-bench-").tempdir().context("no temporary folder")?;
    let bench = prepare(cli, folder.path(), &cases)?;
    let rounds = run(&bench, &cases, if cli.quick { 2 } else { cli.rounds })?;
    let lines = summarize(&rounds);
    print(&markdown(&lines, bench.rate));
    let latest = store(&serde_json::to_string_pretty(&lines).context("cannot write the figures as JSON")?)?;
    say(&format!("wrote {}", latest.display()));
    if cli.keep {
        say(&format!("kept {}", folder.keep().display()));
    }
    Ok(())
}

/// The named cases and the yardsticks that they need; all when none is named.
fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Case>> {
    if let Some(unknown) = names.iter().find(|name| CASES.iter().all(|case| case.name != name.as_str())) {
        bail!("there is no case {unknown}; {AFTER}");
    }
    let is_named = |case: &Case| names.is_empty() || names.iter().any(|name| name == case.name);
    let is_needed = |case: &Case| CASES.iter().any(|other| is_named(other) && other.yardstick == case.name);
    Ok(CASES.iter().filter(|case| is_named(case) || is_needed(case)).collect())
}

fn prepare(cli: &Cli, folder: &Path, cases: &[&Case]) -> anyhow::Result<Bench> {
    let here = std::env::current_exe().context("this program has no path")?;
    let programs = here.parent().context("this program has no folder")?.to_path_buf();
    let gatehouse = cli.gatehouse.clone().unwrap_or_else(|| programs.join("gatehouse"));
    let needed = ["bench-noop", "bench-load"].map(|name| programs.join(name));
    let product = cases.iter().any(|case| case.configuration.is_some()).then(|| gatehouse.clone());
    if let Some(missing) = needed.into_iter().chain(product).find(|program| !program.is_file()) {
        bail!("{} is missing: cargo build --release -p gatehouse -p benches", missing.display());
    }
    if cfg!(debug_assertions) {
        say("this is a debug build: its figures mean nothing");
    }
    Ok(Bench {
        fixture: Fixture::create(folder)?,
        gatehouse,
        programs,
        processors: procfs::two_processors()?,
        seconds: if cli.quick { 1.0 } else { cli.seconds.clamp(0.5, 60.0) },
        warm_up: if cli.quick { 0.5 } else { 1.0 },
        rate: cli.rate,
    })
}

fn run(bench: &Bench, cases: &[&'static Case], count: u16) -> anyhow::Result<Vec<Vec<Sample>>> {
    let started = Instant::now();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut random = Random::new(seed);
    let mut rounds = Vec::new();
    for round in 1..=count {
        let mut order = cases.to_vec();
        random.shuffle(&mut order);
        let mut samples = Vec::new();
        for case in order {
            let sample = bench.measure(case)?;
            say(&format!(
                "[{:4}s] round {round}/{count} {:32} {:6.1} µs/request, server {:3.0} % busy, others {:.1} %, p99 {:.0} µs",
                started.elapsed().as_secs(),
                sample.case,
                sample.saturated.server_cpu_us,
                sample.saturated.server_busy * 100.0,
                sample.saturated.foreign_cpu.max(sample.paced.foreign_cpu) * 100.0,
                sample.paced.latency_clean.p99_us,
            ));
            samples.push(sample);
        }
        rounds.push(samples);
    }
    Ok(rounds)
}

/// Writes `target/bench/latest.json`: this program lies in `target/release`.
fn store(text: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("this program has no path")?;
    let target = here.parent().and_then(Path::parent).context("this program is not in a target folder")?;
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join("latest.json");
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

#[expect(clippy::print_stderr, reason = "progress is for people")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "the table is the output of this program")]
fn print(text: &str) {
    println!("{text}");
}
