//! `bench-policy`: measures `gatehouse opa run` against opa-envoy-plugin and the no-op server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use benches::policy::{CASES, Case, Facts, PolicyBench, Round, goals, page, summarize, table};
use benches::random::Random;
use clap::Parser;
use serde_json::json;

// As in Gatehouse: the engine alone is measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Gatehouse in the place of opa-envoy-plugin against the plugin itself and a server that does nothing.
///
/// The same policies, data and serialized requests for all. CPU time per request of the server counts. Every answer is checked.
/// Rounds in which other programs use more than 5 % of a core are left out, and the table says so.
#[derive(Debug, Parser)]
#[command(name = "bench-policy")]
struct Cli {
    /// A program `opa` that has the Envoy plugin
    #[arg(long, env = "OPA_ENVOY")]
    plugin: PathBuf,
    /// Rounds; every case runs once in each, in another order
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=50))]
    rounds: u16,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Two short rounds: shows that everything works, its figures mean little
    #[arg(long)]
    quick: bool,
    /// Only this case; can be given several times
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// The program to measure; beside this one when absent
    #[arg(long)]
    gatehouse: Option<PathBuf>,
    /// Write the page of the documentation to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Keep the folder with policies and requests
    #[arg(long)]
    keep: bool,
}

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
    let (rounds, seconds, warm_up) =
        if cli.quick { (2, 1.0, 0.5) } else { (cli.rounds, cli.seconds.clamp(0.5, 60.0), 1.0) };
    if cfg!(debug_assertions) {
        say("this is a debug build: its figures mean nothing");
    }
    let here = std::env::current_exe().context("this program has no path")?;
    let programs = here.parent().context("this program has no folder")?;
    let gatehouse = cli.gatehouse.clone().unwrap_or_else(|| programs.join("gatehouse"));
    let facts = Facts::gather(&gatehouse, &cli.plugin, rounds, seconds)?;
    let folder = tempfile::Builder::new().prefix("gatehouse-bench-").tempdir().context("no temporary folder")?;
    say("making policies, data and tokens");
    let tokens = if cli.quick { FEW_TOKENS } else { TOKENS };
    let bench =
        PolicyBench::prepare(folder.path(), &cases, (programs, &gatehouse, &cli.plugin), (seconds, warm_up), tokens)?;
    let lines = summarize(&run(&bench, rounds)?);
    let goals = goals(&lines);
    let text = table(&lines, &goals, &facts);
    print(&text);
    let document = json!({ "facts": facts, "cases": lines, "goals": goals });
    let latest =
        store(programs, &serde_json::to_string_pretty(&document).context("cannot write the figures as JSON")?)?;
    say(&format!("wrote {}", latest.display()));
    if let Some(file) = &cli.write {
        write(file, &page(&text, &facts))?;
        say(&format!("wrote {}", file.display()));
    }
    if cli.keep {
        say(&format!("kept {}", folder.keep().display()));
    }
    Ok(())
}

/// The named cases; all when none is named.
fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Case>> {
    if let Some(unknown) = names.iter().find(|name| CASES.iter().all(|case| case.name != name.as_str())) {
        let all: Vec<_> = CASES.iter().map(|case| case.name).collect();
        bail!("there is no case {unknown}; cases: {}", all.join(", "));
    }
    Ok(CASES.iter().filter(|case| names.is_empty() || names.iter().any(|name| name == case.name)).collect())
}

fn run(bench: &PolicyBench, count: u16) -> anyhow::Result<Vec<Vec<Round>>> {
    let started = Instant::now();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut random = Random::new(seed);
    (1..=count)
        .map(|round| {
            let told = |text: &str| say(&format!("[{:4}s] round {round}/{count} {text}", started.elapsed().as_secs()));
            bench.round(&mut random, &told)
        })
        .collect()
}

/// Writes `target/bench/policy.json`: this program lies in `target/release`.
fn store(programs: &Path, text: &str) -> anyhow::Result<PathBuf> {
    let target = programs.parent().context("this program is not in a target folder")?;
    let file = target.join("bench/policy.json");
    write(&file, text)?;
    Ok(file)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Tokens that come in turn where every token is new: neither program keeps verified tokens, and nobody would keep so many.
const TOKENS: usize = 8_192;
const FEW_TOKENS: usize = 1_024;

#[expect(clippy::print_stderr, reason = "progress is for people")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "the table is the output of this program")]
fn print(text: &str) {
    println!("{text}");
}
