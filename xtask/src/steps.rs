//! Progress: each step is announced with the time since the start, each command runs in the open.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};

/// The clock of one run.
#[derive(Debug)]
pub(crate) struct Steps {
    started: Instant,
}

impl Steps {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Announces what happens next. Progress goes to standard error, results to standard output.
    #[expect(clippy::print_stderr, reason = "this is the one place where progress is shown")]
    pub(crate) fn say(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs();
        eprintln!("[{:02}:{:02}] {what}", seconds / 60, seconds % 60);
    }

    /// Prints a result.
    #[expect(clippy::print_stdout, reason = "this is the one place where results are printed")]
    pub(crate) fn print(&self, result: &str) {
        println!("{result}");
    }

    /// Announces and runs a command, whose output is shown as it comes.
    pub(crate) fn run(&self, what: &str, command: &mut Command) -> anyhow::Result<()> {
        self.say(what);
        let status = command.status().with_context(|| format!("cannot run {}", words(command)))?;
        if !status.success() {
            bail!("{} ended with {status}", words(command));
        }
        Ok(())
    }

    /// Runs a command and returns what it prints; its errors are shown.
    pub(crate) fn output(&self, command: &mut Command) -> anyhow::Result<Vec<u8>> {
        let output =
            command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {}", words(command)))?;
        if !output.status.success() {
            bail!("{} ended with {}", words(command), output.status);
        }
        Ok(output.stdout)
    }
}

/// The command as one would type it.
fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// `cargo` in the repository, the one that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(repository());
    command
}

/// True when `cargo NAME` exists.
pub(crate) fn has_cargo_command(name: &str) -> bool {
    let mut command = cargo(&[name, "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The folder of the repository.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo builds: `$CARGO_TARGET_DIR` or `target`.
pub(crate) fn target() -> PathBuf {
    repository().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
