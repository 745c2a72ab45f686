//! `bench-load`: sends the requests of a plan and prints what it found out as JSON.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use benches::load::{LoadOptions, Pace, Target, run};
use benches::plan::LoadPlan;
use clap::Parser;

/// Replays the requests of a plan, checks every answer and prints a report as JSON.
#[derive(Debug, Parser)]
#[command(name = "bench-load")]
struct Cli {
    /// The plan: requests, expected answers, order
    #[arg(long)]
    plan: PathBuf,
    /// Unix socket of the server
    #[arg(long, required_unless_present = "tcp")]
    unix: Option<PathBuf>,
    /// TCP address of the server
    #[arg(long, conflicts_with = "unix")]
    tcp: Option<SocketAddr>,
    /// Process id of the server
    #[arg(long)]
    server: u32,
    /// Connections
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    connections: u16,
    /// Requests under way on each connection
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=100))]
    streams: u16,
    /// Requests per second at random times; as fast as answered when absent
    #[arg(long)]
    rate: Option<u32>,
    /// Seconds before the measurement
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds of the measurement, at most 600
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Number of the first request that was never seen before
    #[arg(long, default_value_t = 0)]
    first_fresh: u32,
}

#[expect(clippy::print_stderr, reason = "the end of the program says why it ended")]
fn main() -> ExitCode {
    match load(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report is the output of this program")]
fn load(cli: Cli) -> anyhow::Result<()> {
    let plan = LoadPlan::load(&cli.plan)?;
    let target = match (cli.unix, cli.tcp) {
        (Some(path), _) => Target::Unix(path),
        (None, Some(address)) => Target::Tcp(address),
        (None, None) => anyhow::bail!("say where the server listens: --unix or --tcp"),
    };
    let seconds = |value: f64| Duration::try_from_secs_f64(value.min(600.0)).context("invalid number of seconds");
    let options = LoadOptions {
        target,
        server: cli.server,
        connections: cli.connections.into(),
        streams: cli.streams.into(),
        pace: cli.rate.map_or(Pace::Saturated, |rate| Pace::Rate(f64::from(rate.max(1)))),
        warm_up: seconds(cli.warm_up)?,
        duration: seconds(cli.seconds)?,
        first_fresh: cli.first_fresh,
    };
    let report = run(&plan, &options)?;
    println!("{}", serde_json::to_string(&report).context("cannot write the report")?);
    Ok(())
}
