//! From folders to checked sources: read files within bounds, refuse what the parser cannot take, parse.

pub(crate) mod dispatch;
mod edit;
mod files;
pub(crate) mod idiom;
mod negation;
mod nesting;
mod parse;
mod rewrite;
pub(crate) mod syntax;
mod visit;
mod watchdog;

pub(crate) use files::{Folder, SourceFile, read_argument, read_folder};
pub(crate) use nesting::check_nesting;
pub(crate) use parse::{NewTexts, Sources, parse};
pub(crate) use watchdog::run_with_deadline;
#[cfg(test)]
pub(crate) use {parse::lengths, rewrite::rewrite};

/// One thing that keeps policies from loading.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct LoadProblem {
    /// The bundle it is about; `None` when it is about all of them.
    pub(crate) bundle: Option<String>,
    /// What is wrong, starting with `file:line:` where a file is to blame.
    pub(crate) message: String,
}

impl LoadProblem {
    /// A problem in one bundle.
    pub(crate) fn of(bundle: &str, message: impl Into<String>) -> Self {
        Self { bundle: Some(bundle.to_owned()), message: message.into() }
    }

    /// A problem of all bundles together.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self { bundle: None, message: message.into() }
    }
}
