//! How configuration is read. Knows no section: every crate owns the type of its own section.
//!
//! A section has two types: a `Config` (serde, schemars, documented, unknown keys refused) and the compiled form.
//! Compiling collects *all* problems into [`Problems`], each with the [`Path`] of the value it is about; the
//! loader adds file and line.

mod document;
mod path;
mod problems;
mod read;
mod report;
mod secret;
mod suggest;
mod tree;
mod units;
mod watch;

pub use document::Document;
pub use path::Path;
pub use problems::{Problem, Problems};
pub use report::{Finding, Report};
pub use secret::{SecretConfig, SecretError};
pub use units::{Period, Size};
pub use watch::Watcher;
