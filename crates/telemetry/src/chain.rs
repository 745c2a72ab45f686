//! An error with all its causes, in one line.

use std::error::Error;
use std::fmt;

/// Displays an error and its sources, separated by `: `.
pub fn error_chain(error: &dyn Error) -> impl fmt::Display + '_ {
    Chain(error)
}

struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
