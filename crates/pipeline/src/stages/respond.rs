//! What changes in a request that goes on, and the metadata of every answer.

use std::borrow::Cow;

use model::{Allowed, Denial, HeaderEdit, Identity, Reason, Stage};
use serde_json::{Map, Value};
use telemetry::Outcome;

use super::authorise::Permit;
use super::limit::Quota;
use crate::journey::Journey;
use crate::snapshot::Snapshot;
use crate::template::Template;

pub(crate) fn respond(permit: &Permit, journey: &mut Journey<'_>) -> Result<Allowed, Denial> {
    let route = journey.route.ok_or(Reason::Internal)?;
    let mut allowed = permit.changes().map(|p| p.changes.clone()).unwrap_or_default();
    // A preflight that passed is nobody's request: it carries no identity.
    for (name, template) in &route.respond.request_headers {
        overwrite(&mut allowed.headers, name, template.render(journey), &mut allowed.headers_to_remove);
    }
    set(&mut allowed.headers, "x-request-id", journey.ctx.request_id.clone().into_owned());
    if journey.path_changed {
        set(&mut allowed.headers, ":path", full_path(journey));
    }
    allowed.headers_to_remove.extend(route.respond.remove_request_headers.iter().map(|n| Cow::Owned(n.clone())));
    allowed.headers_to_remove.extend(journey.forged.iter().map(|n| Cow::Owned((*n).to_owned())));
    // Envoy removes after it sets: a name is either overwritten or removed.
    let Allowed { headers, headers_to_remove, .. } = &mut allowed;
    headers_to_remove.retain(|name| !headers.iter().any(|h| h.name == *name));
    headers_to_remove.sort();
    headers_to_remove.dedup();
    for (name, template) in &route.respond.response_headers {
        if let Some(value) = template.render(journey) {
            set(&mut allowed.response_headers, name, value);
        }
    }
    set(&mut allowed.response_headers, "x-request-id", journey.ctx.request_id.clone().into_owned());
    if let Some(quota) = &journey.quota {
        allowed.response_headers.extend(quota_headers(quota));
    }
    rendered(&route.respond.query_set, journey, |name, value| allowed.query_set.push((name, value)));
    allowed.query_remove.extend(route.respond.query_remove.iter().cloned());
    journey.trace.note(Stage::Respond, || {
        format!("{} request headers set, {} removed", allowed.headers.len(), allowed.headers_to_remove.len())
    });
    Ok(allowed)
}

/// Sets a header to a rendered value; what cannot be rendered is removed, so that no client's value stands in its place.
fn overwrite(headers: &mut Vec<HeaderEdit>, name: &str, value: Option<String>, remove: &mut Vec<Cow<'static, str>>) {
    match value {
        Some(value) => set(headers, name, value),
        None => {
            headers.retain(|h| h.name != name);
            remove.push(Cow::Owned(name.to_owned()));
        }
    }
}

fn set(headers: &mut Vec<HeaderEdit>, name: &str, value: String) {
    headers.retain(|h| h.name != name);
    headers.push(HeaderEdit::set(name.to_owned(), value));
}

fn full_path(journey: &Journey<'_>) -> String {
    let (path, query) = (&journey.ctx.path, journey.ctx.query);
    // `/a?` and `/a` differ; what stood after the path is kept byte for byte.
    if journey.ctx.view.http().path.contains('?') { format!("{path}?{query}") } else { path.clone().into_owned() }
}

fn rendered(list: &[(String, Template)], journey: &Journey<'_>, mut put: impl FnMut(String, String)) {
    for (name, template) in list {
        if let Some(value) = template.render(journey) {
            put(name.clone(), value);
        }
    }
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
pub(crate) fn quota_headers(quota: &Quota) -> [HeaderEdit; 2] {
    // A quoted string of RFC 9651; names are checked when the configuration is compiled.
    let policy = format!("\"{}\";q={};w={}", quota.name, quota.limit, seconds(quota.period));
    let left = format!("\"{}\";r={};t={}", quota.name, quota.remaining, seconds(quota.reset_after));
    [HeaderEdit::set("ratelimit-policy", policy), HeaderEdit::set("ratelimit", left)]
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(time: std::time::Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Dynamic metadata of any answer; all values are text, so that Envoy's rate limit filter can use them.
pub(crate) fn metadata(
    snapshot: &Snapshot,
    journey: &Journey<'_>,
    outcome: Outcome,
    reason: Option<Reason>,
) -> Map<String, Value> {
    let mut map = Map::new();
    let policy = journey.denial.as_ref().and_then(|d| d.metadata.as_ref()).or(journey.metadata.as_ref());
    map.extend(policy.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    let mut put = |name: &str, value: &str| map.insert(name.to_owned(), Value::String(value.to_owned()));
    put("decision_id", &journey.decision_id);
    put("request_id", &journey.ctx.request_id);
    put("generation", &snapshot.generation_text);
    put("outcome", outcome.as_str());
    if let Some(reason) = reason {
        put("reason", reason.as_str());
    }
    if let Some(route) = journey.route {
        put("api", &route.api);
        put("route", &route.name);
    }
    if let Some(tenant) = &journey.ctx.tenant {
        put("tenant", tenant);
    }
    if let Some(principal) = journey.identity.as_ref().and_then(Identity::principal) {
        put("subject", &principal.subject);
        put("issuer", &principal.issuer);
        if let Some(client) = &principal.client {
            put("client", client);
        }
    }
    if let (Some(route), Outcome::Allow | Outcome::ErrorAllowed) = (journey.route, outcome) {
        rendered(&route.respond.metadata, journey, |name, value| {
            put(&name, &value);
        });
    }
    map
}
