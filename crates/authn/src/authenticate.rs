//! From the methods of a route to an identity.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ::config::{Path, Problems, Size};
use model::{Challenge, Denial, Identity, Principal, Reason, RequestContext, Stage, Trace};
use serde_json::Value;

use crate::cache::Fingerprint;
use crate::config::{FailureBudgetConfig, IssuerConfig, MethodConfig};
use crate::extract;
use crate::keys::{Cell, KeyRing, Shared};
use crate::verify;

/// An issuer, ready to verify.
pub(crate) struct Issuer {
    pub(crate) name: Arc<str>,
    pub(crate) config: IssuerConfig,
    pub(crate) cell: Arc<Cell>,
    /// Name and configuration, hashed: part of the key of every cached token.
    pub(crate) fingerprint: Fingerprint,
}

/// Which issuers there are in a generation.
pub struct Authenticator {
    /// `None` for an issuer that was refused, so that routes may still name it while problems are collected.
    issuers: BTreeMap<String, Option<Arc<Issuer>>>,
    shared: Arc<Shared>,
    /// Sizes of what all generations share; in force once this generation is.
    pub(crate) token_cache: Size,
    pub(crate) failures: FailureBudgetConfig,
}

/// A credential that a route accepts.
#[derive(Clone)]
pub struct Method(Kind);

#[derive(Clone)]
enum Kind {
    Jwt(Arc<Issuer>),
    Anonymous,
}

/// The credential is refused as `invalid_token` (RFC 6750 §3.1).
pub(crate) fn invalid(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Denial {
    let challenge = Challenge { error: Some("invalid_token"), ..Challenge::default() };
    Denial { challenge: Some(challenge), ..Denial::new(reason).because(detail) }
}

/// The request is refused as `invalid_request`.
pub(crate) fn malformed(detail: &'static str) -> Denial {
    let challenge = Challenge { error: Some("invalid_request"), ..Challenge::default() };
    Denial { challenge: Some(challenge), ..Denial::new(Reason::CredentialMalformed).because(detail) }
}

impl Authenticator {
    pub(crate) fn new(
        issuers: BTreeMap<String, Option<Arc<Issuer>>>,
        keys: &KeyRing,
        token_cache: Size,
        failures: FailureBudgetConfig,
    ) -> Self {
        Self { issuers, shared: keys.shared(), token_cache, failures }
    }

    /// Names of the issuers.
    pub fn issuer_names(&self) -> impl Iterator<Item = &str> {
        self.issuers.keys().map(String::as_str)
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = &Arc<Cell>> {
        self.issuers.values().flatten().map(|issuer| &issuer.cell)
    }

    /// Compiles what a route accepts.
    pub fn method(&self, config: &MethodConfig, at: &Path, problems: &mut Problems) -> Option<Method> {
        match config {
            MethodConfig::Anonymous => Some(Method(Kind::Anonymous)),
            MethodConfig::Jwt(name) => match self.issuers.get(name) {
                Some(issuer) => issuer.as_ref().map(|issuer| Method(Kind::Jwt(Arc::clone(issuer)))),
                None => {
                    problems.error(&at.key("jwt"), format!("there is no issuer `{name}` in `authn.issuers`"));
                    None
                }
            },
        }
    }

    /// True when the request holds a credential that one of the methods would read, or any `Authorization` at all.
    pub fn presents_credential(&self, methods: &[Method], ctx: &RequestContext<'_>) -> bool {
        ctx.headers.iter().any(|h| h.name == "authorization")
            || methods.iter().any(|method| match &method.0 {
                Kind::Jwt(issuer) => extract::present(&issuer.config.token, ctx),
                Kind::Anonymous => false,
            })
    }

    /// Who is calling. The first credential that is there decides: a bad one never becomes anonymous.
    ///
    /// # Errors
    /// The denial, with its challenge.
    pub async fn authenticate(
        &self,
        methods: &[Method],
        ctx: &RequestContext<'_>,
        trace: &mut Trace,
    ) -> Result<Identity, Denial> {
        for method in methods {
            let Kind::Jwt(first) = &method.0 else { continue };
            let Some(token) = extract::token(&first.config.token, ctx)? else { continue };
            let started = Instant::now();
            let (issuer, principal, cached) = self.token(first, methods, token, ctx).await?;
            self.shared.observer.validated(started.elapsed(), cached);
            trace.note(Stage::Authenticate, || {
                let how = if cached { "verified before" } else { "verified now" };
                format!("JWT of issuer `{}` for subject `{}`, {how}", issuer.name, principal.subject)
            });
            return Ok(Identity::Known(principal));
        }
        if methods.iter().any(|m| matches!(m.0, Kind::Anonymous)) {
            trace.note(Stage::Authenticate, || "no credential, and the route accepts anonymous requests".to_owned());
            return Ok(Identity::Anonymous);
        }
        Err(extract::missing())
    }

    /// Whose token it is and what it says; true when it was verified before.
    async fn token<'m>(
        &self,
        first: &Arc<Issuer>,
        methods: &'m [Method],
        token: &str,
        ctx: &RequestContext<'_>,
    ) -> Result<(&'m Arc<Issuer>, Arc<Principal>, bool), Denial> {
        // The cache knows whose a token is, so that a hit costs no look into it.
        for issuer in same_place(first, methods) {
            if let Some(principal) = self.cached(issuer, token, ctx)? {
                return Ok((issuer, principal, true));
            }
        }
        let issuer = issuer_of(first, methods, token)?;
        let principal = self.verified(issuer, token, ctx).await?;
        Ok((issuer, principal, false))
    }

    /// A token that was verified before, with everything checked that can have changed since.
    fn cached(&self, issuer: &Issuer, token: &str, ctx: &RequestContext<'_>) -> Result<Option<Arc<Principal>>, Denial> {
        let found = issuer.cell.usable(ctx.now, |keys| self.shared.cache.find(&issuer.fingerprint, token, keys));
        let Some((principal, validity)) = found.flatten() else { return Ok(None) };
        validity.check(ctx.now, issuer.config.leeway.0)?;
        Ok(Some(principal))
    }

    async fn verified(&self, issuer: &Issuer, token: &str, ctx: &RequestContext<'_>) -> Result<Arc<Principal>, Denial> {
        if let Some(wait) = self.shared.budget.spent(ctx.client_address, ctx.now) {
            return Err(Denial { retry_after: Some(wait), ..Denial::new(Reason::FailureBudgetSpent) });
        }
        match verify::token(issuer, token, ctx).await {
            Ok(verified) => {
                let principal = Arc::clone(&verified.principal);
                self.shared.cache.insert(&issuer.fingerprint, token, verified);
                Ok(principal)
            }
            Err(denial) => {
                // Only these cost a signature, or a fetch.
                if matches!(denial.reason, Reason::SignatureInvalid | Reason::KeyUnknown) {
                    self.shared.budget.failed(ctx.client_address, ctx.now);
                }
                Err(denial)
            }
        }
    }
}

/// The route's issuers whose tokens stand where those of `first` do.
fn same_place<'m>(first: &Issuer, methods: &'m [Method]) -> impl Iterator<Item = &'m Arc<Issuer>> + Clone {
    methods.iter().filter_map(move |method| match &method.0 {
        Kind::Jwt(issuer) if issuer.config.token == first.config.token => Some(issuer),
        Kind::Jwt(_) | Kind::Anonymous => None,
    })
}

/// With several issuers in one place, the token's own `iss` picks among them. It proves nothing yet.
fn issuer_of<'m>(first: &Issuer, methods: &'m [Method], token: &str) -> Result<&'m Arc<Issuer>, Denial> {
    let unknown = || invalid(Reason::IssuerUnknown, "`iss` is none of the route's issuers");
    let mut issuers = same_place(first, methods);
    if issuers.clone().count() == 1 {
        return issuers.next().ok_or_else(unknown);
    }
    let longest = issuers.clone().map(|issuer| issuer.config.max_token.bytes()).max().unwrap_or(0);
    let jws = verify::split(token, longest)?;
    let claims = jws.claims().ok_or_else(verify::no_claims)?;
    let iss = claims.get("iss").and_then(Value::as_str).ok_or_else(unknown)?;
    issuers.find(|issuer| issuer.config.issuer == iss).ok_or_else(unknown)
}
