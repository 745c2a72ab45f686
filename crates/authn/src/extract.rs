//! Finding the token in a request.

use model::{Denial, Reason, RequestContext};

use crate::authenticate::malformed;
use crate::config::TokenFrom;

/// The token of a request, when it carries one in that place.
pub(crate) fn token<'a>(from: &TokenFrom, ctx: &RequestContext<'a>) -> Result<Option<&'a str>, Denial> {
    match from {
        TokenFrom::Authorization => bearer(ctx),
        TokenFrom::Header(name) => single(ctx, name),
        TokenFrom::Cookie(name) => cookie(ctx, name),
    }
}

/// `Authorization: Bearer …` (RFC 6750 §2.1). Another scheme is somebody else's credential. Two headers, or Envoy's comma-joined
/// form of them, are refused: two readers could see two callers.
fn bearer<'a>(ctx: &RequestContext<'a>) -> Result<Option<&'a str>, Denial> {
    let Some(value) = single(ctx, "authorization")? else { return Ok(None) };
    // A tab or a leading space is no form of RFC 9110 §11.4 that a careful client sends; two readers could disagree about it.
    if memchr::memchr(b'\t', value.as_bytes()).is_some() || value.starts_with(' ') {
        return Err(malformed("white space where none belongs in the Authorization header"));
    }
    let Some((scheme, token)) = value.split_once(' ') else {
        return if is_bearer(value) { Err(malformed("a bearer credential without a token")) } else { Ok(None) };
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        // `Basic x,Bearer y` is two headers that Envoy joined.
        let joined = value.split(',').skip(1).any(|part| part.trim_start().to_ascii_lowercase().starts_with("bearer "));
        return if joined || is_bearer(scheme) {
            Err(malformed("more than one Authorization header"))
        } else {
            Ok(None)
        };
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || memchr::memchr2(b',', b' ', token.as_bytes()).is_some() {
        return Err(malformed("more than one credential, or none, in the Authorization header"));
    }
    Ok(Some(token))
}

/// True for `Bearer` and for what was meant to be it (`Bearer:`): a credential that is written wrongly is not none.
fn is_bearer(text: &str) -> bool {
    let (word, rest) = text.split_at_checked(6).unwrap_or(("", ""));
    word.eq_ignore_ascii_case("bearer") && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn single<'a>(ctx: &RequestContext<'a>, name: &str) -> Result<Option<&'a str>, Denial> {
    let mut values = ctx.headers.iter().filter(|h| h.name == name);
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed("the header of the credential stands twice"));
    }
    match first.text() {
        // An empty credential is a wrong one, not none: it must not become anonymous.
        Some("") => Err(malformed("the header of the credential is empty")),
        Some(text) => Ok(Some(text)),
        None => Err(malformed("the credential is not text")),
    }
}

fn cookie<'a>(ctx: &RequestContext<'a>, name: &str) -> Result<Option<&'a str>, Denial> {
    let mut found = None;
    for header in ctx.headers.iter().filter(|h| h.name == "cookie") {
        let text = header.text().ok_or_else(|| malformed("the cookies are not text"))?;
        for pair in text.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            // RFC 6265 §4.1.1: the quotes are no part of the value.
            let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
            if key == name && found.replace(value).is_some() {
                return Err(malformed("the cookie of the credential stands twice"));
            }
        }
    }
    // Signing out empties a cookie: that is no credential.
    Ok(found.filter(|token| !token.is_empty()))
}

/// True when the request holds anything that could be a credential in that place, well-formed or not.
pub(crate) fn present(from: &TokenFrom, ctx: &RequestContext<'_>) -> bool {
    !matches!(token(from, ctx), Ok(None))
}

/// What a challenge says when there was no credential (RFC 6750 §3.1: no error code then).
pub(crate) fn missing() -> Denial {
    Denial { challenge: Some(model::Challenge::default()), ..Denial::new(Reason::CredentialMissing) }
}
