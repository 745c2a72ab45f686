//! A socket that never blocks.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::Context as _;

/// Where the server listens.
#[derive(Debug, Clone)]
pub enum Target {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    pub(super) fn connect(target: &Target) -> anyhow::Result<Self> {
        match target {
            Target::Unix(path) => {
                let stream = UnixStream::connect(path).with_context(|| format!("cannot reach {}", path.display()))?;
                stream.set_nonblocking(true).context("cannot make the socket non-blocking")?;
                Ok(Self::Unix(stream))
            }
            Target::Tcp(address) => {
                let stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
                stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
                stream.set_nonblocking(true).context("cannot make the socket non-blocking")?;
                Ok(Self::Tcp(stream))
            }
        }
    }

    /// Reads what is there; 0 when nothing is.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<usize> {
        let read = match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        };
        match read {
            Ok(0) => anyhow::bail!("the server closed a connection"),
            other => unless_blocked(other).context("cannot read from the server"),
        }
    }

    /// Writes as much as fits; 0 when nothing does.
    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<usize> {
        let written = match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        };
        unless_blocked(written).context("cannot write to the server")
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        other => other,
    }
}
