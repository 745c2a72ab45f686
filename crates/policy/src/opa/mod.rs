//! In place of opa-envoy-plugin: its configuration, its `input`, its answers.
//!
//! ```text
//! OPA's configuration ──► config: what to serve, bundles, logs
//! files, bundles ──► Loaded ──► Plugin: input as received ──► policy ──► reply in the plugin's words
//! ```

pub mod config;
mod delays;
mod plugin;
mod reply;
mod service_client;

pub use delays::Delays;
pub(crate) use delays::FIRST_RETRY;
pub use plugin::{Loaded, LogRules, Outcome, Plugin, PluginOptions, PolicyResult, Record, evaluate, read_descriptors};
pub(crate) use service_client::told;
pub use service_client::{ServiceClient, ServiceError};
