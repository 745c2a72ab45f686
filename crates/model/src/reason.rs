//! Stable codes for every way a request can end: the one table from reason to wire form.

use crate::trace::Stage;

/// Whether a reason is about the request (denial) or about a lost dependency of ours (error).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// About the request: always a denial, whatever Envoy's failure mode is.
    Denial,
    /// A dependency of our own is lost: Envoy's failure mode decides.
    Error,
}

macro_rules! reasons {
    ($( $(#[doc = $doc:literal])+ $variant:ident => $code:literal, $stage:ident, $class:ident, $status:literal, $grpc:literal, $title:literal; )+) => {
        /// Why a request ended as it did. The code ([`Reason::as_str`]) is the same in metric label, log, metadata and documentation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $( $(#[doc = $doc])+ $variant, )+ }

        impl Default for Reason {
            /// [`Reason::Internal`], so that nothing forgotten looks like something known.
            fn default() -> Self { Self::Internal }
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Stable code: snake_case, low cardinality.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $code,)+ } }

            /// The stage that raises it.
            pub const fn stage(self) -> Stage { match self { $(Self::$variant => Stage::$stage,)+ } }

            /// Denial or error.
            pub const fn class(self) -> Class { match self { $(Self::$variant => Class::$class,)+ } }

            /// HTTP status of the answer.
            pub const fn status(self) -> u16 { match self { $(Self::$variant => $status,)+ } }

            /// gRPC status code for gRPC callers (google.rpc.Code).
            pub const fn grpc_code(self) -> i32 { match self { $(Self::$variant => $grpc,)+ } }

            /// Short sentence for the client: says nothing about the cause inside.
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title,)+ } }
        }
    };
}

// code, stage, class, HTTP status, gRPC code, title
reasons! {
    /// The bytes of the check request could not be read, or attributes are missing.
    MalformedRequest => "malformed_request", Route, Denial, 400, 3, "Bad request";
    /// The path is not in normal form, or holds what the route does not allow.
    PathRefused => "path_refused", Route, Denial, 400, 3, "Bad request path";
    /// The host is missing, repeated or malformed.
    HostRefused => "host_refused", Route, Denial, 400, 3, "Bad host";
    /// No route matches.
    NoRoute => "no_route", Route, Denial, 404, 12, "Not found";
    /// The route needs a tenant and none, or an unknown one, was named.
    TenantUnknown => "tenant_unknown", Route, Denial, 404, 12, "Not found";
    /// A credential arrived over clear text.
    PlaintextCredentials => "plaintext_credentials", Sanitise, Denial, 400, 3, "Credentials need TLS";
    /// Too many headers, or too many bytes of them.
    HeadersTooLarge => "headers_too_large", Shield, Denial, 431, 3, "Request headers too large";
    /// The body is larger than the route allows.
    BodyTooLarge => "body_too_large", Shield, Denial, 413, 3, "Request body too large";
    /// The method is not on the list.
    MethodRefused => "method_refused", Shield, Denial, 405, 12, "Method not allowed";
    /// The host is not on the list.
    HostNotAllowed => "host_not_allowed", Shield, Denial, 421, 3, "Misdirected request";
    /// A limit that needs no identity is exhausted.
    ShieldLimited => "shield_limited", Shield, Denial, 429, 8, "Too many requests";
    /// No credential, and the route asks for one.
    CredentialMissing => "credential_missing", Authenticate, Denial, 401, 16, "Authentication required";
    /// The credential is not well-formed, repeated, or of a kind that is not accepted.
    CredentialMalformed => "credential_malformed", Authenticate, Denial, 401, 16, "Authentication failed";
    /// The issuer is not configured for this route.
    IssuerUnknown => "issuer_unknown", Authenticate, Denial, 401, 16, "Authentication failed";
    /// `alg`, `typ`, `crit` or key type is not acceptable.
    TokenHeaderRefused => "token_header_refused", Authenticate, Denial, 401, 16, "Authentication failed";
    /// The issuer has no key with this `kid`.
    KeyUnknown => "key_unknown", Authenticate, Denial, 401, 16, "Authentication failed";
    /// The issuer's keys could not be had yet, or are past their staleness.
    KeysUnavailable => "keys_unavailable", Authenticate, Denial, 503, 14, "Authentication unavailable";
    /// The signature does not verify.
    SignatureInvalid => "signature_invalid", Authenticate, Denial, 401, 16, "Authentication failed";
    /// `exp` has passed.
    TokenExpired => "token_expired", Authenticate, Denial, 401, 16, "Authentication failed";
    /// `nbf` or `iat` lies in the future.
    TokenNotYetValid => "token_not_yet_valid", Authenticate, Denial, 401, 16, "Authentication failed";
    /// `aud` is missing or names someone else.
    AudienceRefused => "audience_refused", Authenticate, Denial, 401, 16, "Authentication failed";
    /// A required claim is missing or of the wrong type.
    ClaimRefused => "claim_refused", Authenticate, Denial, 401, 16, "Authentication failed";
    /// This source failed too often; signatures are not checked for it for a while.
    FailureBudgetSpent => "failure_budget_spent", Authenticate, Denial, 429, 8, "Too many failed attempts";
    /// The principal belongs to another tenant than the route's.
    TenantMismatch => "tenant_mismatch", Authorise, Denial, 403, 7, "Forbidden";
    /// A scope is missing.
    ScopeMissing => "scope_missing", Authorise, Denial, 403, 7, "Forbidden";
    /// A role is missing.
    RoleMissing => "role_missing", Authorise, Denial, 403, 7, "Forbidden";
    /// The policy said no.
    PolicyDenied => "policy_denied", Authorise, Denial, 403, 7, "Forbidden";
    /// The policy asks for a stronger or more recent authentication (RFC 9470).
    StepUpRequired => "step_up_required", Authorise, Denial, 401, 16, "Stronger authentication required";
    /// The policy gave no decision.
    PolicyUndefined => "policy_undefined", Authorise, Denial, 403, 7, "Forbidden";
    /// The policy failed or gave a value that is no decision.
    PolicyFailed => "policy_failed", Authorise, Denial, 403, 7, "Forbidden";
    /// The policy panicked.
    PolicyPanicked => "policy_panicked", Authorise, Denial, 403, 7, "Forbidden";
    /// The policy ran into its time or instruction limit.
    PolicyTimedOut => "policy_timed_out", Authorise, Denial, 403, 7, "Forbidden";
    /// A limit is exhausted.
    RateLimited => "rate_limited", Limit, Denial, 429, 8, "Too many requests";
    /// What the limit is keyed by is missing.
    LimitKeyMissing => "limit_key_missing", Limit, Denial, 403, 7, "Forbidden";
    /// The policy names a rate-limit tier that does not exist, or that the route has no limit for.
    TierUnknown => "tier_unknown", Limit, Denial, 403, 7, "Forbidden";
    /// The limit store is full.
    LimitStoreFull => "limit_store_full", Limit, Denial, 503, 14, "Service overloaded";
    /// The limit store cannot be reached.
    LimitStoreLost => "limit_store_lost", Limit, Error, 503, 14, "Service unavailable";
    /// The deadline passed before the answer was ready.
    DeadlineExceeded => "deadline_exceeded", Respond, Denial, 503, 14, "Service overloaded";
    /// Shed: too many requests in flight.
    Overloaded => "overloaded", Route, Denial, 503, 14, "Service overloaded";
    /// A fault of our own; the log has the cause.
    Internal => "internal", Respond, Denial, 500, 13, "Internal error";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut seen = HashSet::new();
        for reason in Reason::ALL {
            let code = reason.as_str();
            assert!(seen.insert(code), "{code} is used twice");
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
        }
    }

    #[test]
    fn only_a_lost_dependency_is_an_error() {
        let errors: Vec<_> = Reason::ALL.iter().filter(|r| r.class() == Class::Error).collect();
        assert_eq!(errors, [&Reason::LimitStoreLost]);
    }

    #[test]
    fn every_status_refuses() {
        for reason in Reason::ALL {
            assert!((400..=599).contains(&reason.status()), "{reason:?} has status {}", reason.status());
            assert!((1..=16).contains(&reason.grpc_code()), "{reason:?} has gRPC code {}", reason.grpc_code());
        }
    }

    #[test]
    fn what_was_forgotten_is_internal() {
        assert_eq!(Reason::default(), Reason::Internal);
        assert_eq!(Reason::Internal.class(), Class::Denial);
    }
}
