//! What can go wrong. No message holds an address: addresses may hold what nobody should read in a log.

use std::path::PathBuf;
use std::time::Duration;

/// Why the client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The authorities could not be read.
    #[error("cannot read certificate authorities from {path}")]
    ReadAuthorities {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file has no certificate in it.
    #[error("there is no certificate in {path}")]
    NoAuthorities {
        /// The file.
        path: PathBuf,
    },
    /// The client's certificate or its key could not be read.
    #[error("cannot read {path} for the client's certificate")]
    ReadIdentity {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] reqwest::Error),
}

/// Why nothing useful came back.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is no URL.
    #[error("the address is no URL")]
    Address(#[source] url::ParseError),
    /// Clear text is for this machine only.
    #[error("the address is not https, and not on this machine")]
    Insecure,
    /// The address holds a user name or a password.
    #[error("the address holds credentials")]
    Credentials,
    /// The method is none.
    #[error("the method is none")]
    Method,
    /// The exchange failed.
    #[error("the request failed")]
    Exchange(#[source] reqwest::Error),
    /// The exchange took too long.
    #[error("no complete answer within {0:?}")]
    TimedOut(Duration),
    /// Another status than the expected ones; a redirect is one too.
    #[error("the server answered {0}")]
    Status(u16),
    /// The body is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

pub(crate) fn exchange(error: reqwest::Error) -> FetchError {
    FetchError::Exchange(error.without_url())
}
