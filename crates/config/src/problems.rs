//! Problems are collected, never thrown one at a time.

use crate::path::Path;

/// One thing that is wrong, or at least doubtful, in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The value it is about.
    pub path: Path,
    /// What is wrong and what to do, in one lower-case sentence without full stop.
    pub message: String,
    /// A warning does not stop the configuration from loading.
    pub warning: bool,
}

/// All problems found so far.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// No problems yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an error.
    pub fn error(&mut self, path: &Path, message: impl Into<String>) {
        self.0.push(Problem { path: path.clone(), message: message.into(), warning: false });
    }

    /// Adds a warning.
    pub fn warn(&mut self, path: &Path, message: impl Into<String>) {
        self.0.push(Problem { path: path.clone(), message: message.into(), warning: true });
    }

    /// True when nothing stops the configuration from loading.
    pub fn is_ok(&self) -> bool {
        self.0.iter().all(|p| p.warning)
    }

    /// The problems, in the order found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// How many, warnings included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
