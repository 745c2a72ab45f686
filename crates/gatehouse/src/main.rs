//! Gatehouse, the security decision plane for Envoy: the command line.
//!
//! Wiring only. What a request meets is in `pipeline`, what the network sees in `gateway`, what a configuration means
//! in `settings`.

mod check;
mod cli;
mod engine;
mod explain;
mod failure;
mod opa;
mod output;
mod policy;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command, PolicyCommand};
use crate::failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return answered(&answer),
    };
    if matches!(cli.command, Command::VetPolicies) {
        return ::policy::vet::main();
    }
    // The program itself, also when its file was replaced meanwhile.
    ::policy::vet::use_program("/proc/self/exe".into());
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure);
            failure.exit_code()
        }
    }
}

/// `--help` and `--version` are answers too; anything else is a mistake in the command line.
fn answered(answer: &clap::Error) -> ExitCode {
    // Nowhere to say that the output is closed.
    let _closed = answer.print();
    if answer.use_stderr() { Failure::Usage(String::new()).exit_code() } else { ExitCode::SUCCESS }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Policy(PolicyCommand::Check(args)) => policy::check(&args),
        Command::Opa(command) => opa::run(&command),
        // Answered before.
        Command::VetPolicies => Ok(()),
        Command::Explain(args) => explain::run(&args),
        Command::Schema => output::print_json(&settings::schema()),
        Command::Version => output::print(concat!("gatehouse ", env!("CARGO_PKG_VERSION"))),
        Command::Reference => output::print(&settings::reference()),
        Command::DefaultDocument => output::print(&settings::default_document()),
        Command::MetricsCatalogue => output::print(&telemetry::catalogue()),
    }
}
