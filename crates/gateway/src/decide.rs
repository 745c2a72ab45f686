//! The seam between the protocol and what decides.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Instant;

use bytes::Bytes;
use model::{Answer, PluginReply, Reason, RequestView};
use serde_json::{Map, Value};

use crate::config::TrustedAttribute;
use crate::wire::rls::{RlsAnswer, RlsCall};

/// One check, as received.
pub struct Check<'a> {
    /// The request.
    pub view: &'a dyn RequestView,
    /// The message that it came in.
    pub bytes: &'a Bytes,
    /// When the answer must be ready.
    pub deadline: Instant,
    /// What this listener believes.
    pub trusts: &'a BTreeSet<TrustedAttribute>,
}

/// The answer to a check, with its dynamic metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// What to tell Envoy.
    pub answer: Answer,
    /// `CheckResponse.dynamic_metadata`.
    pub metadata: Map<String, Value>,
}

/// An answer with its form on the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// As Gatehouse answers.
    Decided(Decided),
    /// As opa-envoy-plugin answers.
    Plugin(PluginReply),
}

impl From<Decided> for Reply {
    fn from(decided: Decided) -> Self {
        Self::Decided(decided)
    }
}

/// Why there is no answer to a rate-limit request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RlsFault {
    /// The request is not one that the service defines (gRPC `INVALID_ARGUMENT`).
    #[error("{0}")]
    Invalid(String),
    /// The store of counters is lost (gRPC `UNAVAILABLE`).
    #[error("the limit store is unavailable")]
    Unavailable,
}

/// What decides. Every call pins the snapshot of its moment.
pub trait Decide: Send + Sync + 'static {
    /// Decides one check. Runs on one worker thread from start to end.
    fn check(&self, check: Check<'_>) -> impl Future<Output = Reply>;

    /// The recorded refusal of a request that never reached [`Decide::check`], or whose check came to no end.
    fn refuse(&self, reason: Reason) -> Reply;

    /// The recorded refusal of a request of `size` bytes, where `max` are allowed.
    fn refuse_size(&self, size: usize, max: usize) -> Reply {
        let _ = (size, max);
        self.refuse(Reason::BodyTooLarge)
    }

    /// Told of every request that was shed; its answer was encoded long before, so this must cost next to nothing.
    fn shed(&self) {}

    /// Decides one rate-limit request.
    ///
    /// # Errors
    /// [`RlsFault`] when there is no answer.
    fn rate_limit(&self, call: &RlsCall<'_>) -> Result<RlsAnswer, RlsFault>;
}
