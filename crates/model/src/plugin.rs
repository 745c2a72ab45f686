//! An answer in the words of opa-envoy-plugin, for those who replace it.
//!
//! Its forms differ from [`crate::Answer`]: a bare yes or no has no response of its own, a fault is a gRPC status, and what a
//! policy says goes out as it is.

use serde_json::{Map, Value};

use crate::decision::{Allowed, Refusal};

/// The answer to one check.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginReply {
    /// What was decided.
    pub answer: PluginAnswer,
    /// `CheckResponse.dynamic_metadata`.
    pub metadata: Map<String, Value>,
    /// Byte for byte what the plugin would send. Otherwise headers say whether they replace or add in both ways that Envoy versions
    /// read, names and values that are not valid are refused, and a fault is a denial.
    pub strict: bool,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum PluginAnswer {
    /// `status.code` 0, with an `ok_response` unless the policy gave nothing but `true`.
    Allow(Option<Allowed>),
    /// `status.code` 7, with a `denied_response` unless the policy gave nothing but `false`.
    Deny {
        /// `status.message`.
        message: String,
        /// `denied_response`.
        refusal: Option<Refusal>,
    },
    /// No message but a gRPC status.
    Fault {
        /// The code of gRPC, never 0.
        code: u8,
        /// `grpc-message`.
        message: String,
    },
}

impl PluginReply {
    /// A fault without metadata.
    pub fn fault(code: u8, message: impl Into<String>, strict: bool) -> Self {
        let answer = PluginAnswer::Fault { code, message: message.into() };
        Self { answer, metadata: Map::new(), strict }
    }
}
