//! Compiles policies in a process of its own first: whatever a policy does to the compiler (run for ever, take all memory, overflow
//! the stack), it does there.
//!
//! ```text
//! parent: Job (sources, data, entry points) ──stdin──► child: limits, compile ──stdout──► Verdict
//!         deadline ──kill──►
//! ```

mod child;

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::load::{Folder, LoadProblem};
use crate::set::RawEntry;

pub use child::main;

/// The subcommand of the program that runs [`main`].
pub const SUBCOMMAND: &str = "vet-policies";

/// The most that a child may say.
const MAX_VERDICT_BYTES: u64 = 4 << 20;
/// How often the child is looked at.
const LOOK: Duration = Duration::from_millis(2);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// From now on policies are compiled by `program` first, which answers to [`SUBCOMMAND`]. Only the first call counts.
pub fn use_program(program: PathBuf) {
    // Whoever came first is right.
    let _already_set = PROGRAM.set(program);
}

/// What the child is told.
#[derive(Debug, Serialize, Deserialize)]
struct Job<'a> {
    folders: Cow<'a, [Folder]>,
    entries: Cow<'a, [RawEntry]>,
    interpreter_only: bool,
    /// Bytes of memory that it may have.
    memory: u64,
    /// Seconds of CPU that it may use.
    seconds: u64,
}

/// What the child found.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Problems of sources and data.
    pub(crate) problems: Vec<LoadProblem>,
    /// Problems of single entry points, by their position.
    pub(crate) entry_problems: Vec<(usize, String)>,
}

/// The verdict on policies; nothing is wrong when no program was set.
///
/// # Errors
/// The child did not get through: what it ran into.
pub(crate) fn vet(
    folders: &[Folder],
    entries: &[RawEntry],
    interpreter_only: bool,
    deadline: Duration,
) -> Result<Verdict, String> {
    let Some(program) = PROGRAM.get() else { return Ok(Verdict::default()) };
    let size: usize = folders.iter().map(Folder::size).sum();
    let memory = MEMORY.saturating_add(MEMORY_FOR_EACH_BYTE.saturating_mul(size as u64));
    let job = Job {
        folders: Cow::Borrowed(folders),
        entries: Cow::Borrowed(entries),
        interpreter_only,
        memory,
        seconds: deadline.as_secs().saturating_add(5),
    };
    let job = serde_json::to_vec(&job).map_err(|error| error.to_string())?;
    let child = Command::new(program)
        .arg(SUBCOMMAND)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start the process that compiles policies first: {error}"))?;
    let (status, said) = attend(child, job, deadline)?;
    if !status.success() {
        return Err(format!("the process that compiles policies first {}", told(status, memory)));
    }
    serde_json::from_slice(&said)
        .map_err(|_no_verdict| "the process that compiles policies first said nothing".to_owned())
}

/// Memory of a child with small policies. Most of it is address space that is only reserved.
const MEMORY: u64 = 4 << 30;
/// What parsed sources and data take, with room to spare.
const MEMORY_FOR_EACH_BYTE: u64 = 64;

/// Feeds a child and waits for its end, which comes at the deadline at the latest.
fn attend(mut child: Child, job: Vec<u8>, deadline: Duration) -> Result<(ExitStatus, Vec<u8>), String> {
    let until = Instant::now() + deadline;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let Some((mut input, output)) = pipes else { return Err("a process without pipes".to_owned()) };
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that ends early does not read all of it; its status says why.
            let _broken_pipe = input.write_all(&job);
        });
        let reader = scope.spawn(move || {
            let mut said = Vec::new();
            // As above.
            let _broken_pipe = output.take(MAX_VERDICT_BYTES).read_to_end(&mut said);
            said
        });
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if Instant::now() < until => thread::sleep(LOOK),
                Ok(None) => break Err(format!("compiling policies took longer than {deadline:?}")),
                Err(error) => break Err(error.to_string()),
            }
        };
        if status.is_err() {
            // Ends the pipes, and with them the threads. It may be gone already.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
        let said = reader.join().unwrap_or_default();
        status.map(|status| (status, said))
    })
}

fn told(status: ExitStatus, memory: u64) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(6) => format!("gave up: the policies need too much stack, or more than {} MiB of memory", memory >> 20),
        Some(9 | 24) => "was ended: the policies take too long to compile".to_owned(),
        Some(11) => "overflowed its stack".to_owned(),
        Some(signal) => format!("was ended by signal {signal}"),
        None => format!("ended with {status}"),
    }
}
