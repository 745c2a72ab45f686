//! Decision logs in OPA's form: made, masked, written to the console, kept on disk and uploaded, off the request path.
//!
//! ```text
//! decision ──► Event ──► drop? ──► mask ──┬──► console
//!                                         └──► Chunker ──► Spool (disk, bounded) ──► Uploader ──► service
//! ```
//!
//! What is lost anywhere on the way is counted, with its reason.

pub mod chunk;
pub mod event;
mod folder;
mod journal;
mod logger;
mod loss;
pub mod mask;
mod settings;
mod spool;
mod store;
#[cfg(test)]
mod testing;
mod uploader;

pub use crate::opa::Delays;
pub use logger::{Console, Logger};
pub use loss::{Loss, Observer};
pub use settings::{Settings, Upload, log_rules};
pub use store::{Store, StoreOptions};
pub use uploader::{UploadError, Uploader};
