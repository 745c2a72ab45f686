//! Bundles as OPA has them: an archive of policies and data with a manifest, possibly signed.
//!
//! ```text
//! server ──► Downloader ──bytes──► Bundle::read: archive ► signature ► manifest ► modules, data
//!                └── Store: the last good archive on disk
//! ```
//!
//! Whoever serves a bundle decides what is allowed, so everything about it is checked before any of it is used: sizes, paths, the
//! signature when one is asked for, and that its contents are under its roots.

mod archive;
mod canonical;
mod contents;
mod download;
mod manifest;
mod signature;
mod sources;
mod status;
mod store;

#[cfg(test)]
mod tests;

pub use archive::ArchiveError;
pub use contents::{Bundle, ReadOptions};
pub use download::{Downloader, News};
pub(crate) use manifest::covers;
pub use manifest::{Manifest, overlap};
pub use signature::{SignatureError, Verification};
pub use sources::{DISCOVERY, discovery, downloaders};
pub use status::BundleStatus;
pub use store::Store;

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bytes are no archive that can be read within bounds.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// `.manifest` is not what it has to be.
    #[error(".manifest: {0}")]
    Manifest(String),
    /// The signature is wrong, missing, or there though none is expected.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A file of policies or data cannot be used.
    #[error("{path}: {problem}")]
    File {
        /// Its path in the archive.
        path: String,
        /// What is wrong.
        problem: String,
    },
}
