//! A server under measurement.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A running server; ends when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) socket: PathBuf,
}

/// How to know that a server is up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ready {
    /// Its socket takes connections.
    Socket,
    /// This path on this port says 200, and its socket takes connections.
    Http(u16, &'static str),
}

impl Server {
    /// Starts a program on some processors (`0` or `0,1`) and waits until it is up. Its output goes to `/dev/null`, its errors to a file.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        processors: &str,
        socket: &Path,
        ready: Ready,
    ) -> anyhow::Result<Self> {
        let errors = socket.with_extension("err");
        let log = File::create(&errors).with_context(|| format!("cannot write {}", errors.display()))?;
        // A socket that an earlier server left behind.
        let _absent = std::fs::remove_file(socket);
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", processors]).arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().context("cannot run taskset (Debian: util-linux)")?;
        let mut server = Self { child, socket: socket.to_owned() };
        server.wait(ready).with_context(|| {
            let text = std::fs::read_to_string(&errors).unwrap_or_default();
            format!("{} did not start: {}", program.display(), text.trim())
        })?;
        Ok(server)
    }

    /// Process id; `taskset` becomes the server, so it is the server's.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self, ready: Ready) -> anyhow::Result<()> {
        let end = Instant::now() + START;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().context("cannot watch the server")? {
                bail!("it ended with {status}");
            }
            let said_so = match ready {
                Ready::Socket => true,
                Ready::Http(port, path) => is_ready(port, path),
            };
            if said_so && UnixStream::connect(&self.socket).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it was not ready after {START:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr().context("no local address")?.port())
}

fn is_ready(port: u16, path: &str) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

const START: Duration = Duration::from_secs(30);
