//! Values of headers, metadata and tiers, written with `{…}` for what differs by request.

use config::{Path, Problems};
use model::Identity;

use crate::journey::Journey;

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A principal's field by name.
    Principal(String),
    Roles,
    Scopes,
    Tenant,
    ClientAddress,
    RequestId,
    DecisionId,
    Api,
    Route,
    Host,
    Method,
    /// A path capture by its place.
    Capture(usize),
    /// A value of Envoy's `context_extensions`.
    Context(String),
}

impl Template {
    /// Reads a template; `captures` are the names a `{path.…}` may use.
    pub(crate) fn compile(text: &str, captures: &[String], at: &Path, problems: &mut Problems) -> Option<Self> {
        match parse(text, captures) {
            Ok(parts) => Some(Self(parts)),
            Err(message) => {
                problems.error(at, message);
                None
            }
        }
    }

    /// The text, when nothing in it differs by request.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The value for a request; `None` when a part of it is missing, so that nothing half-filled is sent.
    pub(crate) fn render(&self, journey: &Journey<'_>) -> Option<String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Principal(name) => out.push_str(journey.principal()?.field(name)?),
                Part::Roles => push_list(&mut out, &journey.principal()?.roles),
                Part::Scopes => push_list(&mut out, &journey.principal()?.scopes),
                Part::Tenant => out.push_str(journey.ctx.tenant.as_deref()?),
                Part::ClientAddress => out.push_str(&journey.ctx.client_address?.to_string()),
                Part::RequestId => out.push_str(&journey.ctx.request_id),
                Part::DecisionId => out.push_str(&journey.decision_id),
                Part::Api => out.push_str(&journey.route?.api),
                Part::Route => out.push_str(&journey.route?.name),
                Part::Host => out.push_str(&journey.ctx.host),
                Part::Method => out.push_str(journey.ctx.method()),
                Part::Context(name) => {
                    out.push_str(journey.ctx.view.attribute(&["contextExtensions", name])?.as_str()?);
                }
                Part::Capture(place) => out.push_str(journey.captures.get(*place)?),
            }
        }
        // What came from a token or path must not end the header it stands in.
        out.bytes().all(|b| b >= b' ' && b != 0x7f).then_some(out)
    }
}

impl Journey<'_> {
    fn principal(&self) -> Option<&model::Principal> {
        self.identity.as_ref().and_then(Identity::principal).map(AsRef::as_ref)
    }
}

fn push_list(out: &mut String, items: &[std::sync::Arc<str>]) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(item);
    }
}

fn parse(text: &str, captures: &[String]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, next) = after.split_once('}').ok_or_else(|| format!("`{text}`: a `{{` without `}}`"))?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(part(name, captures)?);
        rest = next;
    }
    if rest.contains('}') {
        return Err(format!("`{text}`: a `}}` without `{{`"));
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn part(name: &str, captures: &[String]) -> Result<Part, String> {
    if let Some(field) = name.strip_prefix("principal.") {
        return Ok(match field {
            "roles" => Part::Roles,
            "scopes" => Part::Scopes,
            field => Part::Principal(field.to_owned()),
        });
    }
    if let Some(capture) = name.strip_prefix("path.") {
        let place = captures.iter().position(|c| c == capture);
        return place.map(Part::Capture).ok_or_else(|| format!("the path has no `{{{capture}}}`"));
    }
    if let Some(name) = name.strip_prefix("context.") {
        return Ok(Part::Context(name.to_owned()));
    }
    Ok(match name {
        "tenant" => Part::Tenant,
        "client_address" => Part::ClientAddress,
        "request_id" => Part::RequestId,
        "decision_id" => Part::DecisionId,
        "api" => Part::Api,
        "route" => Part::Route,
        "host" => Part::Host,
        "method" => Part::Method,
        other => {
            return Err(format!(
                "unknown `{{{other}}}`: use principal.<field>, path.<capture>, context.<name>, tenant, client_address, request_id, \
                 decision_id, api, route, host or method"
            ));
        }
    })
}
