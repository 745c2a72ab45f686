//! `fuzz`: runs targets for as long as asked, guided by coverage.
//!
//! The instrumented build needs no other toolchain: `sancov-module` is a pass of the LLVM that stable Rust brings. It
//! needs a C++ compiler for libFuzzer. Without one, seeds are mutated blindly, and the output says so.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Parser;
use fuzz::{Mutator, TARGETS, Target};

/// Fuzzes every parser of what attackers and operators write.
#[derive(Debug, Parser)]
#[command(name = "fuzz")]
struct Cli {
    /// Seconds for each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Mutate seeds without looking at coverage
    #[arg(long)]
    blind: bool,
    /// Only this target
    target: Option<String>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let targets: Vec<&Target> = match &cli.target {
        Some(name) => vec![fuzz::find(name)?],
        None => TARGETS.iter().collect(),
    };
    let program = if cli.blind { None } else { instrumented() };
    let mut failed = Vec::new();
    for target in targets {
        let result = match &program {
            Some(program) => guided(program, target, cli.seconds),
            None => blind(target, cli.seconds),
        };
        if let Err(error) = result {
            eprintln!("{}: {error:#}", target.name);
            failed.push(target.name);
        }
    }
    if !failed.is_empty() {
        bail!("these targets failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Builds the targets with coverage counters; `None`, and a reason on the screen, when that is not possible here.
fn instrumented() -> Option<PathBuf> {
    let output = output_folder();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--profile", "fuzzing", "--features", "guided", "--bin", "guided", "--target", HOST]);
    cargo.arg("--manifest-path").arg(fuzz::folder().join("Cargo.toml")).arg("--target-dir").arg(&output);
    cargo.env("RUSTFLAGS", INSTRUMENT).env_remove("CARGO_ENCODED_RUSTFLAGS");
    eprintln!("building with coverage counters");
    match cargo.status() {
        Ok(status) if status.success() => Some(output.join(HOST).join("fuzzing/guided")),
        Ok(status) => {
            eprintln!("NOT GUIDED BY COVERAGE: the instrumented build ended with {status}; seeds are mutated blindly");
            None
        }
        Err(error) => {
            eprintln!("NOT GUIDED BY COVERAGE: cargo cannot be run ({error}); seeds are mutated blindly");
            None
        }
    }
}

fn guided(program: &Path, target: &Target, seconds: u64) -> anyhow::Result<()> {
    let corpus = output_folder().join("corpus").join(target.name);
    let findings = output_folder().join("findings");
    for folder in [&corpus, &findings] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    eprintln!("{}: {seconds} s, guided by coverage", target.name);
    let mut command = Command::new(program);
    command.env("GATEHOUSE_FUZZ_TARGET", target.name);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/{}-", findings.display(), target.name));
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=16384", "-print_final_stats=1", "-verbosity=0"]);
    command.arg(corpus).arg(fuzz::folder().join("seeds").join(target.name));
    let status = command.status().context("cannot run the instrumented program")?;
    if !status.success() {
        bail!("ended with {status}; the input is in {}", findings.display());
    }
    Ok(())
}

fn blind(target: &Target, seconds: u64) -> anyhow::Result<()> {
    let seeds = fuzz::seeds(target)?;
    let start = Instant::now();
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let mut mutator = Mutator::new(&seeds, seed);
    let mut inputs = 0_u64;
    while start.elapsed() < Duration::from_secs(seconds) {
        let input = mutator.input();
        let tried = std::panic::catch_unwind(|| (target.run)(&input));
        if tried.is_err() {
            let file = output_folder().join(format!("{}-finding", target.name));
            std::fs::create_dir_all(output_folder()).context("cannot make the output folder")?;
            std::fs::write(&file, &input).with_context(|| format!("cannot write {}", file.display()))?;
            bail!("a promise was broken; the input is in {}", file.display());
        }
        inputs += 1;
    }
    eprintln!("{}: {inputs} inputs, none broke a promise", target.name);
    Ok(())
}

/// `$CARGO_TARGET_DIR/fuzz`, else `target/fuzz` of the repository.
fn output_folder() -> PathBuf {
    let repository = fuzz::folder().parent().unwrap_or(fuzz::folder());
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from).join("fuzz")
}

/// The platform that this program was built for. Naming it keeps the counters out of build scripts and macros.
const HOST: &str = if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

/// Coverage counters, a table of code addresses, and the operands of comparisons.
const INSTRUMENT: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
