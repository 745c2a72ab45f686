//! Cheap limits that protect the costly stages.

use model::{Denial, Reason, Stage};

use crate::check::Services;
use crate::journey::Journey;
use crate::snapshot::Shield;
use crate::stages::limit;

pub(crate) fn shield(services: &Services, journey: &mut Journey<'_>) -> Result<(), Denial> {
    let route = journey.route.ok_or(Reason::Internal)?;
    let shield = &route.shield;
    sizes(shield, journey)?;
    lists(shield, journey)?;
    if shield.limits.is_empty() {
        return Ok(());
    }
    limit::charge(&shield.limits, None, Stage::Shield, services, journey).or_else(|denial| {
        let reason = if denial.reason == Reason::RateLimited { Reason::ShieldLimited } else { denial.reason };
        journey.tolerate(Denial { reason, ..denial })
    })
}

fn sizes(shield: &Shield, journey: &Journey<'_>) -> Result<(), Denial> {
    let headers = journey.ctx.view.headers();
    if headers.len() > shield.max_headers {
        return Err(Denial::new(Reason::HeadersTooLarge).because(format!("{} headers", headers.len())));
    }
    let bytes: usize = headers.iter().map(|h| h.name.len() + h.value.len()).sum();
    if bytes > shield.max_header_bytes {
        return Err(Denial::new(Reason::HeadersTooLarge).because(format!("{bytes} bytes of headers")));
    }
    let http = journey.ctx.view.http();
    let stated = journey.ctx.header("content-length").and_then(|length| length.parse::<u64>().ok());
    let received = u64::try_from(http.body.len()).unwrap_or(u64::MAX);
    let body = stated.unwrap_or(0).max(u64::try_from(http.size).unwrap_or(0)).max(received);
    if body > shield.max_body {
        return Err(Denial::new(Reason::BodyTooLarge).because(format!("a body of {body} bytes")));
    }
    Ok(())
}

fn lists(shield: &Shield, journey: &Journey<'_>) -> Result<(), Denial> {
    let method = journey.ctx.method();
    if !shield.methods.is_empty() && !journey.preflight && !shield.methods.iter().any(|m| m == method) {
        return Err(Reason::MethodRefused.into());
    }
    let host = journey.ctx.host.as_ref();
    let fits = |pattern: &String| match pattern.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix) && host.len() > suffix.len(),
        None => host == pattern,
    };
    if !shield.hosts.is_empty() && !shield.hosts.iter().any(fits) {
        return Err(Reason::HostNotAllowed.into());
    }
    Ok(())
}
