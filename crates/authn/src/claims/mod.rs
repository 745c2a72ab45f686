//! What a token says, checked and mapped to a principal (RFC 7519 §4.1, RFC 9068 §2.2).

use std::sync::Arc;

use model::{Assurance, CredentialKind, Denial, Principal, PrincipalKind, Reason, Timestamp};
use serde_json::{Map, Value};

use crate::authenticate::invalid;
use crate::config::{AudienceRule, IssuerConfig};

/// Claims of one token.
pub(crate) type Claims = Map<String, Value>;

/// When a token is valid, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    /// `exp`.
    pub(crate) until: i64,
    /// The later of `nbf` and `iat`.
    pub(crate) from: i64,
}

impl Validity {
    /// Checked on every use of a token, cached or not.
    pub(crate) fn check(self, now: Timestamp, leeway: std::time::Duration) -> Result<(), Denial> {
        let (now, leeway) = (now.as_secs(), i64::try_from(leeway.as_secs()).unwrap_or(300));
        if now >= self.until.saturating_add(leeway) {
            return Err(invalid(Reason::TokenExpired, "the token has expired"));
        }
        if now.saturating_add(leeway) < self.from {
            return Err(invalid(Reason::TokenNotYetValid, "the token is not valid yet"));
        }
        Ok(())
    }
}

/// `exp` has to be there; `nbf` and `iat` have to be numbers when they are.
pub(crate) fn validity(claims: &Claims) -> Result<Validity, Denial> {
    let time = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            seconds(value).map(Some).ok_or_else(|| invalid(Reason::ClaimRefused, format!("`{name}` is no time")))
        }
    };
    let until = time("exp")?.ok_or_else(|| invalid(Reason::ClaimRefused, "`exp` is missing"))?;
    let from = time("nbf")?.unwrap_or(i64::MIN).max(time("iat")?.unwrap_or(i64::MIN));
    Ok(Validity { until, from })
}

/// NumericDate (RFC 7519 §2); fractions are cut, what no calendar holds is refused.
fn seconds(value: &Value) -> Option<i64> {
    const FARTHEST: f64 = 253_402_300_799.0;
    let number = value.as_f64().filter(|n| (0.0..=FARTHEST).contains(n))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    Some(number as i64)
}

/// `aud` is text or a list of texts, and names one of ours (RFC 7519 §4.1.3); missing is refused unless anybody's tokens pass.
pub(crate) fn check_audience(claims: &Claims, config: &IssuerConfig) -> Result<(), Denial> {
    let ours = |aud: &str| config.audiences.iter().any(|own| own == aud);
    let named = match (claims.get("aud"), config.audience) {
        (None, rule) => rule == AudienceRule::Any,
        (Some(Value::String(aud)), rule) => rule == AudienceRule::Any || ours(aud),
        (Some(Value::Array(list)), rule) => {
            // Every element counts: what is no text would be read in another way by somebody else.
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            texts.is_some_and(|texts| rule == AudienceRule::Any || texts.into_iter().any(ours))
        }
        (Some(_), _) => false,
    };
    if named { Ok(()) } else { Err(invalid(Reason::AudienceRefused, "`aud` is missing or names somebody else")) }
}

/// The principal that the claims describe.
pub(crate) fn principal(
    claims: &Claims,
    provider: &Arc<str>,
    config: &IssuerConfig,
    validity: Validity,
) -> Result<Principal, Denial> {
    for name in &config.required_claims {
        if at(claims, name).is_none_or(Value::is_null) {
            return Err(invalid(Reason::ClaimRefused, format!("`{name}` is missing")));
        }
    }
    let mapping = &config.claims;
    let subject = text(claims, &mapping.subject)?
        .ok_or_else(|| invalid(Reason::ClaimRefused, format!("`{}` is missing or empty", mapping.subject)))?;
    let client = match &mapping.client {
        Some(path) => text(claims, path)?,
        None => match text(claims, "client_id")? {
            Some(client) => Some(client),
            None => text(claims, "azp")?,
        },
    };
    let attributes =
        mapping.attributes.iter().filter_map(|(name, path)| Some((name.clone(), at(claims, path)?.clone())));
    let service = client.as_deref() == Some(&*subject);
    Ok(Principal {
        kind: if service { PrincipalKind::Service } else { PrincipalKind::User },
        subject,
        issuer: config.issuer.as_str().into(),
        provider: Arc::clone(provider),
        client,
        tenant: optional(mapping.tenant.as_ref(), claims)?,
        roles: mapping.roles.as_ref().map_or(Ok(Vec::new()), |path| list(claims, path))?,
        scopes: list(claims, &mapping.scopes)?,
        attributes: attributes.collect(),
        credential: CredentialKind::Jwt,
        assurance: Assurance {
            acr: text(claims, "acr").unwrap_or_default(),
            amr: list(claims, "amr").unwrap_or_default(),
            auth_time: claims.get("auth_time").and_then(seconds),
        },
        expires_at: Some(Timestamp::from_secs(validity.until)),
        memo: model::principal::Memo::default(),
    })
}

fn optional(path: Option<&String>, claims: &Claims) -> Result<Option<Arc<str>>, Denial> {
    path.map_or(Ok(None), |path| text(claims, path))
}

/// The value at a dotted path. Names may have dots themselves (`https://x.test/roles`, and `https://x.test/claims` with `roles` in
/// it), so the longest name that is there is taken first.
fn at<'c>(claims: &'c Claims, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    for (dot, _) in path.rmatch_indices('.') {
        let (name, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        if let Some(object) = claims.get(name).and_then(Value::as_object) {
            return at(object, rest);
        }
    }
    None
}

/// Text that is not empty; `None` when absent, refused when it is something else.
fn text(claims: &Claims, path: &str) -> Result<Option<Arc<str>>, Denial> {
    match at(claims, path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str().into())),
        Some(_) => Err(invalid(Reason::ClaimRefused, format!("`{path}` is no text"))),
    }
}

/// A list of texts, or text separated by spaces (RFC 8693 §4.2 for `scope`).
fn list(claims: &Claims, path: &str) -> Result<Vec<Arc<str>>, Denial> {
    let refused = || invalid(Reason::ClaimRefused, format!("`{path}` is no list of texts"));
    match at(claims, path) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split(' ').filter(|s| !s.is_empty()).map(Arc::from).collect()),
        Some(Value::Array(items)) => {
            let texts: Result<Vec<&str>, Denial> = items.iter().map(|i| i.as_str().ok_or_else(refused)).collect();
            Ok(texts?.into_iter().filter(|text| !text.is_empty()).map(Arc::from).collect())
        }
        Some(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests;
