//! The root configuration: composes the sections, validates across them, prints schema and reference.
//!
//! ```text
//! load ──► Loaded ──► build ──► Built { snapshot, plan, … }     nothing is built unless there is no error at all
//!   YAML, shapes        meanings, across sections
//! ```
//! This crate compiles nothing itself; every section does that for itself.

mod build;
mod compliance;
mod load;
mod reference;
mod root;

pub use build::{Built, build};
pub use load::{Loaded, load, load_texts};
pub use root::{API_VERSION, Config};

use serde_json::Value;

/// The JSON Schema of the configuration.
pub fn schema() -> Value {
    reference::sorted(schemars::schema_for!(Config).to_value())
}

/// The reference page, `docs/reference/configuration.md`.
pub fn reference() -> String {
    reference::render(&schema())
}

/// The configuration that says nothing, in full: `docs/reference/config.yaml`.
pub fn default_document() -> String {
    let config = serde_json::to_value(Config::default()).unwrap_or_default();
    reference::default_document(&reference::sorted(config), &schema())
}
