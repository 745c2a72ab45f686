//! The list that an operator reads.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One located problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file it is in.
    pub file: PathBuf,
    /// The line, from 1; 0 when it is about the file as a whole.
    pub line: usize,
    /// The column, from 1; 0 when it is about the file as a whole.
    pub column: usize,
    /// The path of the value, empty when it is about the YAML itself.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
    /// A warning does not stop the configuration from loading.
    pub warning: bool,
}

/// All problems of a configuration by file and line, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Sorts and removes duplicates.
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort();
        findings.dedup();
        Self { findings }
    }

    /// True when nothing stops the configuration from loading.
    pub fn is_ok(&self) -> bool {
        self.errors() == 0
    }

    /// How many errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|f| !f.warning).count()
    }

    /// How many warnings.
    pub fn warnings(&self) -> usize {
        self.findings.len() - self.errors()
    }

    /// The problems by file and line.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if self.warning {
            f.write_str(" warning:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)
    }
}

/// One line for each problem, then how many there are.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let (errors, warnings) = (self.errors(), self.warnings());
        write!(f, "{errors} {}", if errors == 1 { "problem" } else { "problems" })?;
        if warnings > 0 {
            write!(f, ", {warnings} {}", if warnings == 1 { "warning" } else { "warnings" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
