//! The child's side.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::{Job, Verdict};

/// Reads a job from standard input, compiles it within its limits, and writes the verdict to standard output.
pub fn main() -> ExitCode {
    // Without a parent nobody waits for the verdict.
    let _unsupported = set_parent_process_death_signal(Some(Signal::KILL));
    let mut job = Vec::new();
    let mut input = std::io::stdin().lock();
    let Ok(_) = input.read_to_end(&mut job) else { return ExitCode::FAILURE };
    let Ok(job) = serde_json::from_slice::<Job<'_>>(&job) else { return ExitCode::FAILURE };
    for (resource, limit) in [(Resource::As, job.memory), (Resource::Cpu, job.seconds), (Resource::Core, 0)] {
        if setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) }).is_err() {
            return ExitCode::FAILURE;
        }
    }
    let verdict: Verdict = crate::set::vetted(job.folders.into_owned(), job.entries.into_owned(), job.interpreter_only);
    match serde_json::to_vec(&verdict).map(|said| std::io::stdout().write_all(&said)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}
