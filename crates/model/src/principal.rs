//! Who is calling.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::Timestamp;

/// The outcome of authentication. A missing identity is its own value, never an empty string.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The route says `anonymous` and no credential was presented.
    Anonymous,
    /// An authenticated party.
    Known(Arc<Principal>),
}

impl Identity {
    /// The principal, when there is one.
    pub fn principal(&self) -> Option<&Arc<Principal>> {
        match self {
            Self::Anonymous => None,
            Self::Known(p) => Some(p),
        }
    }
}

/// The authenticated party of a request, whatever the credential was.
#[derive(Debug, Default, Serialize)]
pub struct Principal {
    /// What kind of party it is.
    pub kind: PrincipalKind,
    /// JWT `sub`; never empty.
    pub subject: Arc<str>,
    /// JWT `iss`.
    pub issuer: Arc<str>,
    /// The name of the issuer in the configuration.
    pub provider: Arc<str>,
    /// OAuth client (`client_id` or `azp`), when the credential names one.
    pub client: Option<Arc<str>>,
    /// Tenant, when the credential names one.
    pub tenant: Option<Arc<str>>,
    /// Roles, in the credential's order.
    pub roles: Vec<Arc<str>>,
    /// OAuth scopes.
    pub scopes: Vec<Arc<str>>,
    /// Further mapped claims, by the name the configuration gives them.
    pub attributes: Map<String, Value>,
    /// Which credential proved it.
    pub credential: CredentialKind,
    /// How strongly the party was authenticated.
    pub assurance: Assurance,
    /// When the credential ends, if it does.
    #[serde(skip)]
    pub expires_at: Option<Timestamp>,
    /// Room for one derived value of an engine; see [`Principal::memo`].
    #[serde(skip)]
    pub memo: Memo,
}

impl Principal {
    /// A value derived from this principal, made once by `make` and kept with it. One engine
    /// only may use it (the policy engine keeps its own form of the principal here): a second type
    /// gets `None`.
    pub fn memo<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        self.memo.0.get_or_init(|| Box::new(make(self))).downcast_ref()
    }

    /// The value of a principal field by its name in templates and limit keys: `subject`, `issuer`, `client`,
    /// `tenant`, or a mapped attribute that is a string.
    pub fn field(&self, name: &str) -> Option<&str> {
        match name {
            "subject" => Some(&self.subject),
            "issuer" => Some(&self.issuer),
            "provider" => Some(&self.provider),
            "client" => self.client.as_deref(),
            "tenant" => self.tenant.as_deref(),
            other => self.attributes.get(other).and_then(Value::as_str),
        }
    }
}

/// See [`Principal::memo`].
#[derive(Default)]
pub struct Memo(OnceLock<Box<dyn Any + Send + Sync>>);

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

/// What kind of party a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    #[default]
    User,
    /// A program acting for itself (client credentials).
    Service,
}

/// Which credential proved the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A JWT bearer token (RFC 6750, RFC 7519).
    #[default]
    Jwt,
}

impl CredentialKind {
    /// Stable name, as in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
        }
    }
}

/// How strongly the party was authenticated (OpenID Connect Core §2: `acr`, `amr`, `auth_time`).
#[derive(Debug, Clone, Default, Serialize)]
pub struct Assurance {
    /// `acr`.
    pub acr: Option<Arc<str>>,
    /// `amr`.
    pub amr: Vec<Arc<str>>,
    /// `auth_time`, seconds since the epoch.
    pub auth_time: Option<i64>,
}
