//! Credentials in, principals out.
//!
//! [`Authenticator`] belongs to a snapshot: which issuers there are and what their tokens mean. [`KeyRing`] belongs to the process:
//! keys, verified tokens and failure budgets outlive reloads. Nothing remote happens on the way of a request, but for one case: an
//! unknown `kid` may wait for one refresh that all such requests share.

mod authenticate;
mod budget;
mod cache;
mod claims;
mod compile;
mod config;
mod extract;
mod keys;
#[cfg(test)]
mod tests;
mod verify;

pub use crate::config::{
    AudienceRule, AuthnConfig, ClaimsConfig, FailureBudgetConfig, IssuerConfig, JwksConfig, MethodConfig, TokenFrom,
};
pub use authenticate::{Authenticator, Method};
pub use keys::{KeyObserver, KeyRing, KeyStatus};
