//! opa-envoy-plugin and what stands in for it: both are started alike, asked alike, and their answers read alike.

mod call;
mod case;
mod control;
mod descriptor;
mod server;

pub use call::Caller;
pub use case::{Case, CaseFile, Request, case_files, corpus_files};
pub use control::{ControlServer, Posted, Resource, bundle};
pub use server::{Kind, Server, plugin_path};
