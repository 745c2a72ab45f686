//! Opening sockets and accepting from them.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use crate::config::Address;

/// An open listening socket. A Unix socket's file is removed when it is dropped.
pub(crate) enum Bound {
    Unix(UnixListener, SocketFile),
    Abstract(UnixListener, String),
    Tcp(TcpListener, Address),
}

/// The file of a Unix socket.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already; there is nobody left to tell.
        let _ = fs::remove_file(&self.0);
    }
}

/// An accepted connection, not yet bound to a runtime.
pub(crate) enum Stream {
    Unix(StdUnixStream),
    Tcp(std::net::TcpStream),
}

impl Bound {
    /// Binds and listens.
    ///
    /// # Errors
    /// When the address is in use or may not be used.
    pub(crate) fn open(address: &Address, mode: u32) -> io::Result<Self> {
        match address {
            Address::Unix(path) => {
                clear_stale(path)?;
                // Nobody may connect before the mode is set, so the socket gets its name last: by a link, which takes no name from
                // a process that was faster. In a container every process has the same number, so one that was killed here may
                // have left its file.
                let unnamed = path.with_file_name(format!(".{}", std::process::id()));
                clear_stale(&unnamed)?;
                let listener = UnixListener::bind(&unnamed)?;
                let unnamed = SocketFile(unnamed);
                fs::set_permissions(&unnamed.0, fs::Permissions::from_mode(mode))?;
                fs::hard_link(&unnamed.0, path)?;
                Ok(Self::Unix(listener, SocketFile(path.clone())))
            }
            Address::Abstract(name) => {
                let listener = StdUnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Abstract(UnixListener::from_std(listener)?, name.clone()))
            }
            Address::Tcp(tcp) => {
                let listener = std::net::TcpListener::bind(tcp)?;
                listener.set_nonblocking(true)?;
                let address = Address::Tcp(listener.local_addr()?);
                Ok(Self::Tcp(TcpListener::from_std(listener)?, address))
            }
        }
    }

    /// Where it is bound; the port the system chose, when 0 was asked for.
    pub(crate) fn address(&self) -> Address {
        match self {
            Self::Unix(_, file) => Address::Unix(file.0.clone()),
            Self::Abstract(_, name) => Address::Abstract(name.clone()),
            Self::Tcp(_, address) => address.clone(),
        }
    }

    /// The next connection; on a Unix socket only of the given users, if any are given.
    ///
    /// # Errors
    /// When the system has no descriptors left, or the peer went away.
    pub(crate) async fn accept(&self, uids: &[u32]) -> io::Result<Option<Stream>> {
        match self {
            Self::Unix(listener, _) | Self::Abstract(listener, _) => {
                let (stream, _) = listener.accept().await?;
                if !uids.is_empty() {
                    let uid = stream.peer_cred()?.uid();
                    if !uids.contains(&uid) {
                        tracing::warn!(uid, "connection refused: this user may not connect");
                        return Ok(None);
                    }
                }
                Ok(Some(Stream::Unix(stream.into_std()?)))
            }
            Self::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Some(Stream::Tcp(stream.into_std()?)))
            }
        }
    }
}

/// Removes the file of a socket that nobody listens on; anything else stays, and is an error.
fn clear_stale(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}
