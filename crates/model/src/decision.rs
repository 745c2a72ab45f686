//! What was decided, in a form that any protocol edge can encode.
//!
//! A *denial* is about the request; an *error* is the loss of a dependency of our own. Envoy may be told to let
//! errors pass (`failure_mode_allow`), so nothing that a caller can cause may become one.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::reason::Reason;

/// Why a stage ended the journey of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Denial {
    /// The reason; fixes status, class and stage.
    pub reason: Reason,
    /// Status chosen by a policy instead of the reason's own; 100–599, never a 2xx.
    pub status: Option<u16>,
    /// Headers for the client, chosen by a policy.
    pub headers: Vec<(String, String)>,
    /// Body chosen by a policy instead of the problem document.
    pub body: Option<String>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// What to present next time (RFC 6750 §3).
    pub challenge: Option<Challenge>,
    /// Dynamic metadata chosen by a policy.
    pub metadata: Option<Map<String, Value>>,
    /// Detail for log, trace and `explain`; never sent to the client, never holds a credential.
    pub detail: Option<Cow<'static, str>>,
}

impl Denial {
    /// A denial with nothing but its reason.
    pub fn new(reason: Reason) -> Self {
        Self { reason, ..Self::default() }
    }

    /// The same denial with a detail for operators.
    #[must_use]
    pub fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

/// Contents of `WWW-Authenticate: Bearer …` (RFC 6750 §3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `error`: `invalid_request`, `invalid_token`, `insufficient_scope` or `insufficient_user_authentication`; absent when no credential was presented.
    pub error: Option<&'static str>,
    /// `scope`: the scopes that would have been enough, separated by spaces.
    pub scope: Option<Arc<str>>,
    /// `acr_values`: authentication contexts that would be enough, separated by spaces (RFC 9470 §3).
    pub acr_values: Option<Arc<str>>,
    /// `max_age`: seconds since the user authenticated that would be accepted (RFC 9470 §3).
    pub max_age: Option<u32>,
}

/// One header to set. Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderEdit {
    /// Name in lower case.
    pub name: Cow<'static, str>,
    /// Value.
    pub value: String,
    /// Add to the values there are instead of replacing them.
    pub append: bool,
}

impl HeaderEdit {
    /// Replaces whatever the header was.
    pub fn set(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), append: false }
    }
}

/// What changes in a request that goes on (ext_authz `OkHttpResponse`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Allowed {
    /// Request headers for the upstream (`headers`).
    pub headers: Vec<HeaderEdit>,
    /// Request headers taken away (`headers_to_remove`); disjoint from the names in `headers`.
    pub headers_to_remove: Vec<Cow<'static, str>>,
    /// Headers for the client (`response_headers_to_add`).
    pub response_headers: Vec<HeaderEdit>,
    /// `query_parameters_to_set`.
    pub query_set: Vec<(String, String)>,
    /// `query_parameters_to_remove`.
    pub query_remove: Vec<String>,
}

/// A refusal as the client sees it (ext_authz `DeniedHttpResponse`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status, 300–599.
    pub status: u16,
    /// Headers.
    pub headers: Vec<HeaderEdit>,
    /// Body.
    pub body: String,
}

/// The answer to one check. Status and body cannot disagree: each variant carries only what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The request goes on.
    Allow(Allowed),
    /// The request is refused.
    Deny(Refusal),
    /// A dependency of ours is lost (ext_authz `error_response`).
    Error(Refusal),
}
