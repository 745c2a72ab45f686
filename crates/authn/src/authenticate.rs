//! From the methods of a route to an identity.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ::config::{Path, Problems, Size};
use crypto::jose::{self, Algorithm, HeaderFault, JoseHeader, Jwk, Jws};
use model::{Challenge, Denial, Identity, Principal, Reason, RequestContext, Stage, Trace};

use crate::cache::Verified;
use crate::claims;
use crate::config::{FailureBudgetConfig, IssuerConfig, MethodConfig};
use crate::extract;
use crate::keys::{Cell, Found, KeyRing, Shared};

/// An issuer, ready to verify.
pub(crate) struct Issuer {
    pub(crate) name: Arc<str>,
    pub(crate) config: IssuerConfig,
    pub(crate) cell: Arc<Cell>,
    /// Name and configuration, hashed: part of the key of every cached token.
    pub(crate) fingerprint: [u8; 32],
}

/// Which issuers there are in a generation.
pub struct Authenticator {
    issuers: BTreeMap<String, Arc<Issuer>>,
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
    let challenge = Challenge { error: Some("invalid_token"), scope: None };
    Denial { challenge: Some(challenge), ..Denial::new(reason).because(detail) }
}

/// The request is refused as `invalid_request`.
pub(crate) fn malformed(detail: &'static str) -> Denial {
    let challenge = Challenge { error: Some("invalid_request"), scope: None };
    Denial { challenge: Some(challenge), ..Denial::new(Reason::CredentialMalformed).because(detail) }
}

impl Authenticator {
    pub(crate) fn new(
        issuers: BTreeMap<String, Arc<Issuer>>,
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
        self.issuers.values().map(|i| &i.cell)
    }

    /// Compiles what a route accepts.
    pub fn method(&self, config: &MethodConfig, at: &Path, problems: &mut Problems) -> Option<Method> {
        match config {
            MethodConfig::Anonymous => Some(Method(Kind::Anonymous)),
            MethodConfig::Jwt(name) => match self.issuers.get(name) {
                Some(issuer) => Some(Method(Kind::Jwt(Arc::clone(issuer)))),
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
            let issuer = self.issuer_of(token, first, methods)?;
            let started = Instant::now();
            let cached = self.cached(issuer, token, ctx)?;
            let is_cached = cached.is_some();
            let principal = match cached {
                Some(principal) => principal,
                None => self.verified(issuer, token, ctx).await?,
            };
            self.shared.observer.validated(started.elapsed(), is_cached);
            trace.note(Stage::Authenticate, || {
                let how = if is_cached { "verified before" } else { "verified now" };
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

    /// With several issuers in one place, the token's own `iss` picks among those the route names. It proves nothing yet.
    fn issuer_of<'m>(
        &self,
        token: &str,
        first: &'m Arc<Issuer>,
        methods: &'m [Method],
    ) -> Result<&'m Arc<Issuer>, Denial> {
        let mut same_place = methods.iter().filter_map(|m| match &m.0 {
            Kind::Jwt(issuer) if issuer.config.token == first.config.token => Some(issuer),
            Kind::Jwt(_) | Kind::Anonymous => None,
        });
        if same_place.clone().count() == 1 {
            return Ok(first);
        }
        if token.len() > first.config.max_token.bytes() {
            return Err(malformed("the token is too long"));
        }
        let claims = jose::split(token).map_err(header_fault)?.claims();
        let iss = claims.as_ref().and_then(|c| c.get("iss")).and_then(|v| v.as_str()).unwrap_or_default();
        same_place
            .find(|i| i.config.issuer == iss)
            .ok_or_else(|| invalid(Reason::IssuerUnknown, "`iss` is none of the route's issuers"))
    }

    /// A token that was verified before, with everything checked that can have changed since.
    fn cached(&self, issuer: &Issuer, token: &str, ctx: &RequestContext<'_>) -> Result<Option<Arc<Principal>>, Denial> {
        let Some(verified) = self.shared.cache.find(&issuer.fingerprint, token) else { return Ok(None) };
        let in_force = issuer.cell.usable(ctx.now).is_some_and(|keys| keys.holds(&verified.key));
        if !in_force {
            self.shared.cache.remove(&issuer.fingerprint, token);
            return Ok(None);
        }
        verified.validity.check(ctx.now, issuer.config.leeway.0)?;
        Ok(Some(verified.principal))
    }

    async fn verified(&self, issuer: &Issuer, token: &str, ctx: &RequestContext<'_>) -> Result<Arc<Principal>, Denial> {
        if token.len() > issuer.config.max_token.bytes() {
            return Err(malformed("the token is too long"));
        }
        if let Some(wait) = self.shared.budget.spent(ctx.client_address, ctx.now) {
            return Err(Denial { retry_after: Some(wait), ..Denial::new(Reason::FailureBudgetSpent) });
        }
        let result = self.verify(issuer, token, ctx).await;
        if let Err(denial) = &result
            && matches!(denial.reason, Reason::SignatureInvalid | Reason::KeyUnknown)
        {
            self.shared.budget.failed(ctx.client_address, ctx.now);
        }
        result
    }

    async fn verify(&self, issuer: &Issuer, token: &str, ctx: &RequestContext<'_>) -> Result<Arc<Principal>, Denial> {
        let config = &issuer.config;
        let jws = jose::split(token).map_err(header_fault)?;
        let header = jws.header().map_err(header_fault)?;
        check_header(&header, config)?;
        // Cheap claims first: an expired token costs no signature, and `iss` binds the token to the keys that are about to be asked.
        let claims = jws
            .claims()
            .ok_or_else(|| invalid(Reason::ClaimRefused, "the claims are no JSON object, or a name stands twice"))?;
        if claims.get("iss").and_then(|v| v.as_str()) != Some(config.issuer.as_str()) {
            return Err(invalid(Reason::IssuerUnknown, "`iss` is not the issuer's"));
        }
        let validity = claims::validity(&claims)?;
        validity.check(ctx.now, config.leeway.0)?;
        claims::check_audience(&claims, config)?;
        let key = verifying_key(issuer, &header, &jws, ctx).await?;
        let principal = Arc::new(claims::principal(&claims, &issuer.name, config, validity)?);
        let verified = Verified { principal: Arc::clone(&principal), validity, key };
        self.shared.cache.insert(&issuer.fingerprint, token, verified);
        Ok(principal)
    }
}

/// The key that verifies the signature. An unknown `kid` waits for one refresh when the issuer allows another one now.
async fn verifying_key(
    issuer: &Issuer,
    header: &JoseHeader,
    jws: &Jws<'_>,
    ctx: &RequestContext<'_>,
) -> Result<Arc<Jwk>, Denial> {
    let unavailable = || Denial::new(Reason::KeysUnavailable).because("the issuer's keys are not there or too old");
    let keys = issuer.cell.usable(ctx.now).ok_or_else(unavailable)?;
    match keys.find(header.kid.as_deref(), header.algorithm) {
        Found::Keys(keys) => try_keys(&keys, header.algorithm, jws),
        Found::Unfit => Err(invalid(Reason::TokenHeaderRefused, "the key is not for this algorithm")),
        Found::Nothing => {
            let unknown = || invalid(Reason::KeyUnknown, "the issuer has no such key");
            drop(keys);
            issuer.cell.refreshed(ctx.deadline).await;
            let keys = issuer.cell.usable(ctx.now).ok_or_else(unavailable)?;
            match keys.find(header.kid.as_deref(), header.algorithm) {
                Found::Keys(keys) => try_keys(&keys, header.algorithm, jws),
                Found::Unfit | Found::Nothing => Err(unknown()),
            }
        }
    }
}

fn try_keys(keys: &[Arc<Jwk>], algorithm: Algorithm, jws: &Jws<'_>) -> Result<Arc<Jwk>, Denial> {
    let good = keys.iter().find(|key| key.verify(algorithm, jws.signed, jws.signature));
    good.cloned().ok_or_else(|| invalid(Reason::SignatureInvalid, "the signature does not verify"))
}

fn check_header(header: &JoseHeader, config: &IssuerConfig) -> Result<(), Denial> {
    if !config.algorithms.contains(&header.algorithm) {
        return Err(invalid(Reason::TokenHeaderRefused, "`alg` is not one of the issuer's"));
    }
    let typ = header.typ.as_deref().unwrap_or("jwt");
    if !config.types.iter().any(|accepted| accepted.eq_ignore_ascii_case(typ)) {
        return Err(invalid(Reason::TokenHeaderRefused, "`typ` is not accepted"));
    }
    Ok(())
}

fn header_fault(fault: HeaderFault) -> Denial {
    match fault {
        HeaderFault::NotCompact | HeaderFault::Malformed | HeaderFault::Encrypted => {
            invalid(Reason::CredentialMalformed, fault.to_string())
        }
        HeaderFault::Algorithm | HeaderFault::Critical => invalid(Reason::TokenHeaderRefused, fault.to_string()),
    }
}
