//! The vocabulary of Gatehouse: what a stage may ask of a request, who the caller is, what was decided and why.
//!
//! This crate holds values and nothing else: no I/O, no async, no protobuf, no global state. Every other
//! crate speaks in these types, so that a request can be decided the same way behind Envoy, in a
//! benchmark, in a fuzz target and in `gatehouse explain`.

pub mod clock;
pub mod context;
pub mod decision;
pub mod plugin;
pub mod principal;
pub mod reason;
pub mod request;
pub mod secret;
pub mod trace;

pub use clock::{Clock, SystemClock, Timestamp};
pub use context::{RequestContext, Scheme};
pub use decision::{Allowed, Answer, Challenge, Denial, HeaderEdit, Refusal};
pub use plugin::{PluginAnswer, PluginReply};
pub use principal::{Assurance, CredentialKind, Identity, Principal, PrincipalKind};
pub use reason::{Class, Reason};
pub use request::{Header, HttpFields, OwnedRequest, Peer, RequestView};
pub use secret::Secret;
pub use trace::{Stage, Step, StepOutcome, Trace};
