//! From a token to a principal: everything that a token has to stand, in order.
//!
//! 1. size and form, header (algorithm, type, critical parameters): before anything in it is believed;
//! 2. issuer, times, audience: an expired token costs no signature, and `iss` binds it to the keys that are about to be asked;
//! 3. signature, by a key of this issuer that fits the algorithm;
//! 4. the claims that make the principal.

use std::sync::Arc;

use crypto::jose::{self, Algorithm, HeaderFault, JoseHeader, Jwk, Jws};
use model::{Denial, Reason, RequestContext};

use crate::authenticate::{Issuer, invalid, malformed};
use crate::cache::Verified;
use crate::claims;
use crate::config::IssuerConfig;
use crate::keys::Found;

/// Verifies a token of `issuer`. Only an unknown `kid` may wait, for one fetch that all such requests share.
pub(crate) async fn token(issuer: &Issuer, token: &str, ctx: &RequestContext<'_>) -> Result<Verified, Denial> {
    let config = &issuer.config;
    let jws = split(token, config.max_token.bytes())?;
    let header = jws.header().map_err(header_fault)?;
    check_header(&header, config)?;
    let claims = jws.claims().ok_or_else(no_claims)?;
    if claims.get("iss").and_then(|v| v.as_str()) != Some(config.issuer.as_str()) {
        return Err(invalid(Reason::IssuerUnknown, "`iss` is not the issuer's"));
    }
    let validity = claims::validity(&claims)?;
    validity.check(ctx.now, config.leeway.0)?;
    claims::check_audience(&claims, config)?;
    let key = verifying_key(issuer, &header, &jws, ctx).await?;
    let principal = Arc::new(claims::principal(&claims, &issuer.name, config, validity)?);
    Ok(Verified { principal, validity, key })
}

/// The parts of a token that is not too long.
pub(crate) fn split(token: &str, longest: usize) -> Result<Jws<'_>, Denial> {
    if token.len() > longest {
        return Err(malformed("the token is too long"));
    }
    jose::split(token).map_err(header_fault)
}

/// The payload cannot be read.
pub(crate) fn no_claims() -> Denial {
    invalid(Reason::ClaimRefused, "the claims are no JSON object, or a name stands twice")
}

fn check_header(header: &JoseHeader, config: &IssuerConfig) -> Result<(), Denial> {
    if !config.algorithms.contains(&header.algorithm) {
        return Err(invalid(Reason::TokenHeaderRefused, "`alg` is not one of the issuer's"));
    }
    // RFC 7519 §5.1: absent means JWT.
    let typ = header.typ.as_deref().unwrap_or("jwt");
    if !config.types.iter().any(|accepted| accepted == typ) {
        return Err(invalid(Reason::TokenHeaderRefused, "`typ` is not accepted"));
    }
    Ok(())
}

async fn verifying_key(
    issuer: &Issuer,
    header: &JoseHeader,
    jws: &Jws<'_>,
    ctx: &RequestContext<'_>,
) -> Result<Arc<Jwk>, Denial> {
    let mut found = find(issuer, header, ctx)?;
    if matches!(found, Found::Nothing) {
        issuer.cell.refreshed(ctx.deadline).await;
        found = find(issuer, header, ctx)?;
    }
    match found {
        Found::Keys(keys) => try_keys(&keys, header.algorithm, jws),
        Found::Unfit => Err(invalid(Reason::TokenHeaderRefused, "the key is not for this algorithm")),
        Found::Nothing => Err(invalid(Reason::KeyUnknown, "the issuer has no such key")),
    }
}

fn find(issuer: &Issuer, header: &JoseHeader, ctx: &RequestContext<'_>) -> Result<Found, Denial> {
    let found = issuer.cell.usable(ctx.now, |keys| keys.find(header.kid.as_deref(), header.algorithm));
    found.ok_or_else(|| Denial::new(Reason::KeysUnavailable).because("the issuer's keys are not there or too old"))
}

fn try_keys(keys: &[Arc<Jwk>], algorithm: Algorithm, jws: &Jws<'_>) -> Result<Arc<Jwk>, Denial> {
    let good = keys.iter().find(|key| key.verify(algorithm, jws.signed, jws.signature));
    good.cloned().ok_or_else(|| invalid(Reason::SignatureInvalid, "the signature does not verify"))
}

fn header_fault(fault: HeaderFault) -> Denial {
    match fault {
        HeaderFault::NotCompact | HeaderFault::Malformed | HeaderFault::Encrypted => {
            invalid(Reason::CredentialMalformed, fault.to_string())
        }
        HeaderFault::Algorithm | HeaderFault::Critical => invalid(Reason::TokenHeaderRefused, fault.to_string()),
    }
}
