//! A denial as the client sees it: problem document, page or gRPC status. It says what, never why inside.

use model::{Denial, HeaderEdit, Reason, Refusal};
use serde_json::json;

use crate::journey::Journey;
use crate::stages::respond::{quota_headers, seconds};

pub(crate) fn render(denial: &Denial, journey: &Journey<'_>) -> Refusal {
    let reason = denial.reason;
    let status = denial.status.unwrap_or_else(|| reason.status());
    let id = journey.ctx.request_id.as_ref();
    let mut headers = vec![HeaderEdit::set("x-request-id", id), HeaderEdit::set("cache-control", "no-store")];
    if status == 401 || denial.challenge.is_some() {
        headers.push(HeaderEdit::set("www-authenticate", challenge(denial, journey)));
    }
    let overloaded = matches!(
        reason,
        Reason::Overloaded | Reason::DeadlineExceeded | Reason::LimitStoreFull | Reason::KeysUnavailable
    );
    match denial.retry_after {
        Some(wait) => headers.push(HeaderEdit::set("retry-after", seconds(wait).max(1).to_string())),
        None if overloaded => headers.push(HeaderEdit::set("retry-after", "1")),
        None => {}
    }
    if let (Reason::RateLimited | Reason::ShieldLimited, Some(quota)) = (reason, &journey.quota) {
        headers.extend(quota_headers(quota));
    }
    let (content_type, body) = match Form::of(journey) {
        Form::Grpc => {
            let code = if denial.status.is_some() { grpc_code(status) } else { reason.grpc_code() };
            headers.push(HeaderEdit::set("grpc-status", code.to_string()));
            headers.push(HeaderEdit::set("grpc-message", reason.title()));
            (None, String::new())
        }
        Form::Html => (Some("text/html; charset=utf-8"), page(status, reason, id)),
        Form::Problem => (Some("application/problem+json"), problem(status, reason, id)),
    };
    // A policy's own words come last and win.
    let chosen = denial.headers.iter().map(|(name, value)| HeaderEdit::set(name.clone(), value.clone()));
    let body = denial.body.clone().unwrap_or(body);
    if denial.body.is_none()
        && let Some(content_type) = content_type
    {
        headers.push(HeaderEdit::set("content-type", content_type));
    }
    for edit in chosen {
        headers.retain(|h| h.name != edit.name);
        headers.push(edit);
    }
    let body = if journey.ctx.method() == "HEAD" { String::new() } else { body };
    Refusal { status, headers, body }
}

/// What the client can read.
enum Form {
    Grpc,
    Html,
    Problem,
}

impl Form {
    fn of(journey: &Journey<'_>) -> Self {
        let values = |name| journey.ctx.header(name).unwrap_or_default();
        if values("content-type").starts_with("application/grpc") {
            return Self::Grpc;
        }
        let accept = values("accept");
        let place = |kind| accept.find(kind).unwrap_or(usize::MAX);
        if place("text/html") < place("json") { Self::Html } else { Self::Problem }
    }
}

/// `WWW-Authenticate` (RFC 6750 §3, RFC 9470 §3). The realm is the API's name, which holds only what a quoted string may.
fn challenge(denial: &Denial, journey: &Journey<'_>) -> String {
    let realm = journey.route.map_or("gatehouse", |route| &route.api);
    let mut text = format!("Bearer realm=\"{realm}\"");
    if let Some(challenge) = &denial.challenge {
        if let Some(error) = challenge.error {
            text.push_str(&format!(", error=\"{error}\""));
        }
        if let Some(scope) = &challenge.scope {
            text.push_str(&format!(", scope=\"{scope}\""));
        }
        if let Some(acr_values) = &challenge.acr_values {
            text.push_str(&format!(", acr_values=\"{acr_values}\""));
        }
        if let Some(max_age) = challenge.max_age {
            text.push_str(&format!(", max_age=\"{max_age}\""));
        }
    }
    text
}

/// RFC 9457.
fn problem(status: u16, reason: Reason, id: &str) -> String {
    let code = reason.as_str();
    json!({
        "type": format!("urn:gatehouse:reason:{code}"),
        "title": reason.title(),
        "status": status,
        "reason": code,
        "request_id": id,
    })
    .to_string()
}

/// Nothing in it comes from the request but the id, whose characters were checked.
fn page(status: u16, reason: Reason, id: &str) -> String {
    let title = reason.title();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><h1>{title}</h1><p>Status {status}, reason <code>{}</code>.</p><p>Request <code>{id}</code></p></body></html>",
        reason.as_str()
    )
}

/// The gRPC code for a status that a policy chose (gRPC over HTTP/2, status mapping).
const fn grpc_code(status: u16) -> i32 {
    match status {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 12,
        409 => 10,
        429 => 8,
        500 => 13,
        502..=504 => 14,
        _ => 2,
    }
}
