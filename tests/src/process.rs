//! A started program with its log, stopped when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs going to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let errors = file.try_clone().context("cannot share the log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {name} ({command:?})"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it has printed.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Sends a signal, such as `TERM`, `KILL`, `STOP` or `CONT`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        // The standard library sends SIGKILL only, and unsafe code is forbidden here.
        let status = Command::new("sh")
            .args(["-c", "kill -\"$0\" \"$1\"", signal, &self.id().to_string()])
            .status()
            .context("cannot run sh")?;
        if !status.success() {
            bail!("{} does not take SIG{signal}", self.name);
        }
        Ok(())
    }

    /// Fails with the end of the log when the program has ended.
    ///
    /// # Errors
    /// When it has.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot ask for the state of a child")? {
            bail!("{} ended with {status}\n{}", self.name, self.tail());
        }
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot ask for the state of a child")? {
                return Ok(status);
            }
            if Instant::now() > until {
                bail!("{} still runs after {within:?}\n{}", self.name, self.tail());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until `ready` answers true, as long as the program runs.
    ///
    /// # Errors
    /// When it ends, or is not ready in time; both with the end of the log.
    pub async fn ready(&mut self, within: Duration, mut ready: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
        let until = Instant::now() + within;
        while !ready().await {
            self.must_run()?;
            if Instant::now() > until {
                bail!("{} is not ready after {within:?}\n{}", self.name, self.tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(40);
        lines.into_iter().skip(from).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be stopped or gone already; both are fine.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Waits until `condition` holds.
///
/// # Errors
/// When it does not in time; `what` says what was waited for.
pub async fn eventually(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    let until = Instant::now() + within;
    while !condition().await {
        if Instant::now() > until {
            bail!("waited {within:?} in vain: {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
