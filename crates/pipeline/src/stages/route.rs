//! Host, path and method select a route; host, header or path select a tenant.

use std::borrow::Cow;
use std::sync::Arc;

use model::{Denial, Reason, RequestContext, RequestView, Scheme, Stage, Timestamp, Trace};

use crate::config::PathAllowance;
use crate::journey::Journey;
use crate::path::{Normal, normalise_host, normalise_path};
use crate::snapshot::{PathRules, Route, Snapshot, TenantSource};

impl<'a> Journey<'a> {
    /// A journey at its start: nothing is known but what was received.
    pub(crate) fn begin(
        view: &'a dyn RequestView,
        now: Timestamp,
        deadline: Option<std::time::Instant>,
        explain: bool,
    ) -> Self {
        let http = view.http();
        let (path, query) = http.path.split_once('?').unwrap_or((http.path, ""));
        let ctx = RequestContext {
            view,
            headers: view.headers().to_vec(),
            host: Cow::Borrowed(""),
            path: Cow::Borrowed(path),
            query,
            // Settled by sanitise; clear text until then.
            scheme: Scheme::Http,
            client_address: None,
            request_id: request_id(view),
            tenant: None,
            now,
            deadline,
        };
        Self {
            ctx,
            route: None,
            captures: Vec::new(),
            path_changed: false,
            preflight: false,
            forged: smallvec::SmallVec::new(),
            identity: None,
            decision_id: uuid::Uuid::new_v4().to_string(),
            policy_cached: None,
            tolerated: None,
            quota: None,
            metadata: None,
            denial: None,
            trace: Trace::start(explain),
        }
    }
}

/// The client's `x-request-id` when there is one that is short and harmless, else a new one.
fn request_id(view: &dyn RequestView) -> Cow<'_, str> {
    let mut values = view.headers().iter().filter(|h| h.name == "x-request-id");
    match (values.next().and_then(|h| h.text()), values.next()) {
        (Some(id), None) if is_request_id(id) => Cow::Borrowed(id),
        _ => Cow::Owned(uuid::Uuid::new_v4().to_string()),
    }
}

fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

pub(crate) fn select<'a>(snapshot: &'a Snapshot, journey: &mut Journey<'a>) -> Result<(), Denial> {
    let http = journey.ctx.view.http();
    if http.method.is_empty() || http.path.is_empty() {
        return Err(Denial::new(Reason::MalformedRequest).because("the request has no method or no path"));
    }
    let host =
        normalise_host(http.host).map_err(|fault| Denial::new(Reason::HostRefused).because(fault.to_string()))?;
    let raw = http.path.split('?').next().unwrap_or_default();
    let normal = normalise_path(raw).map_err(|fault| Denial::new(Reason::PathRefused).because(fault.to_string()))?;
    if http.path.contains('#') {
        return Err(Denial::new(Reason::PathRefused).because("a number sign in the path"));
    }
    journey.preflight = is_preflight(&journey.ctx);
    let method = if journey.preflight { target_method(&journey.ctx) } else { http.method };
    let Some((id, captures)) = snapshot.router.find(&host, &normal.path, method, journey.ctx.view.headers()) else {
        // A path that is not normal is refused as such, so that nobody learns which normal form would match.
        let reason = if normal.changed() { Reason::PathRefused } else { Reason::NoRoute };
        journey.ctx.host = host;
        return Err(Denial::new(reason).because(format!("no route for {method} {}", normal.path)));
    };
    journey.captured(&captures);
    drop(captures);
    journey.ctx.host = host;
    let route = snapshot.routes.get(id).ok_or(Reason::Internal)?;
    journey.route = Some(route);
    journey.trace.note(Stage::Route, || {
        format!(
            "route `{}` of API `{}`{}",
            route.name,
            route.api,
            if journey.preflight { ", as CORS preflight" } else { "" }
        )
    });
    accept_path(&route.path, normal, journey)?;
    find_tenant(snapshot, route, journey)
}

/// OPTIONS with `Origin` and `Access-Control-Request-Method` (Fetch standard, CORS-preflight request).
fn is_preflight(ctx: &RequestContext<'_>) -> bool {
    ctx.view.http().method == "OPTIONS"
        && ctx.header("origin").is_some()
        && ctx.header("access-control-request-method").is_some()
}

fn target_method<'a>(ctx: &RequestContext<'a>) -> &'a str {
    ctx.header("access-control-request-method").unwrap_or_default()
}

/// What was decided on is what is forwarded: the path was normal, or is overwritten because the route says so.
fn accept_path<'a>(rules: &PathRules, normal: Normal<'a>, journey: &mut Journey<'a>) -> Result<(), Denial> {
    let found = [
        (normal.encoded_slash, PathAllowance::EncodedSlash, "an encoded slash"),
        (normal.backslash, PathAllowance::Backslash, "a backslash"),
        (normal.nul, PathAllowance::Nul, "an encoded NUL"),
        (normal.invalid_utf8, PathAllowance::InvalidUtf8, "escapes that are not UTF-8"),
    ];
    for (is_there, allowance, what) in found {
        if is_there && !rules.allow.contains(&allowance) {
            return Err(Denial::new(Reason::PathRefused).because(format!("the path holds {what}")));
        }
    }
    if normal.changed() && !rules.overwrite {
        return Err(Denial::new(Reason::PathRefused)
            .because(format!("the path is not in normal form, which is {}", normal.path)));
    }
    journey.path_changed = normal.changed();
    journey.ctx.path = normal.path;
    if journey.path_changed {
        journey.trace.note(Stage::Route, || "the path is overwritten with its normal form".to_owned());
    }
    Ok(())
}

fn find_tenant(snapshot: &Snapshot, route: &Route, journey: &mut Journey<'_>) -> Result<(), Denial> {
    let named = match &route.tenant {
        None => return Ok(()),
        Some(TenantSource::Host) => journey.ctx.host.split('.').next(),
        Some(TenantSource::Path(place)) => journey.captures.get(*place).map(String::as_str),
        Some(TenantSource::Header(name)) => journey.ctx.header(name),
    };
    let tenant: Option<Arc<str>> = named.and_then(|name| snapshot.tenants.get(name)).cloned();
    let tenant = tenant.ok_or_else(|| {
        let why = if named.is_some() { "the request names an unknown tenant" } else { "the request names no tenant" };
        Denial::new(Reason::TenantUnknown).because(why)
    })?;
    journey.trace.note(Stage::Route, || format!("tenant `{tenant}`"));
    journey.ctx.tenant = Some(tenant);
    Ok(())
}
