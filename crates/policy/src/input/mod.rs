//! `input` as policies see it: the document of opa-envoy-plugin, and with it `principal` and `route`.
//!
//! Only what an entry point can read is built ([`InputPlan`]); what is not built cannot be told from absent by a
//! policy that cannot ask for it. Differences from the plugin, all on the safe side: `headers` are the ones left
//! after sanitising, `path` is the path decided on, `host` is the normalised host, `scheme` is what trusted hops say.

mod attributes;
mod body;
mod keys;
mod parsed;
mod plan;
mod principal;

use model::{Denial, Reason};
use regorus::Value;
use regorus::value::Object;

use crate::set::PolicyInput;

pub(crate) use plan::InputPlan;

/// Builds what `plan` names.
///
/// # Errors
/// [`Reason::MalformedRequest`] when a part that the policy reads cannot be parsed, as the plugin answers 400.
pub(crate) fn build(plan: &InputPlan, input: &PolicyInput<'_, '_>) -> Result<Value, Denial> {
    let malformed = |detail: &'static str| Denial::new(Reason::MalformedRequest).because(detail);
    keys::with(|keys| {
        let mut root = Object::new();
        if plan.attributes.any() {
            root.insert(keys.attributes.clone(), attributes::build(&plan.attributes, input, keys));
        }
        if plan.version {
            root.insert(keys.version.clone(), keys.version_value.clone());
        }
        let parsed_path = if plan.parsed_path { Some(parsed::path(input.request).map_err(malformed)?) } else { None };
        if let Some(value) = parsed_path {
            root.insert(keys.parsed_path.clone(), value);
        }
        if plan.parsed_query {
            root.insert(keys.parsed_query.clone(), parsed::query(input.request.query).map_err(malformed)?);
        }
        if plan.parsed_body {
            let body = body::parse(input.request).map_err(malformed)?;
            root.insert(keys.parsed_body.clone(), body.value);
            root.insert(keys.truncated_body.clone(), Value::Bool(body.truncated));
        }
        let peer = input.request.view.source().principal;
        if plan.source_principal && !peer.is_empty() {
            root.insert(keys.source_principal.clone(), Value::from(peer));
        }
        if plan.principal {
            root.insert(keys.principal.clone(), principal::value(input.identity));
        }
        if plan.route {
            root.insert(keys.route.clone(), input.route.value.clone());
        }
        Ok(root.into_value())
    })
}

#[cfg(test)]
mod tests;
