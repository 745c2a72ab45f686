//! How the program ends when it cannot do what it was asked.

use std::fmt;
use std::process::ExitCode;

use config::Report;

/// Why the program stops.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong.
    Configuration(Report),
    /// The configuration is wrong, and that was already printed.
    Reported,
    /// The command line or a request file is wrong.
    Usage(String),
    /// Anything else.
    Fault(anyhow::Error),
}

/// `EX_USAGE` of sysexits.h: what was written is wrong, trying again does not help.
const EX_USAGE: u8 = 64;

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) | Self::Reported | Self::Usage(_) => ExitCode::from(EX_USAGE),
            Self::Fault(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(report) => write!(f, "{report}"),
            Self::Reported => Ok(()),
            Self::Usage(message) => write!(f, "gatehouse: {message}"),
            Self::Fault(error) => write!(f, "gatehouse: {error:#}"),
        }
    }
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self::Configuration(report)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error)
    }
}
