//! `input` as policies see it: the document of opa-envoy-plugin, and with it `principal` and `route`.
//!
//! Only what an entry point can read is built ([`InputPlan`]); what is not built cannot be told from absent by a
//! policy that cannot ask for it. Differences from the plugin, all on the safe side: `headers` are the ones left
//! after sanitising, `path` is the path decided on, `host` is the normalised host, `scheme` is what trusted hops say. In place
//! of the plugin itself ([`Source::Received`]) there are none of these differences, and no `principal` and `route`.

mod attributes;
mod body;
mod keys;
mod parsed;
mod plan;
mod principal;
mod source;
mod text;

use model::Identity;
use prost_reflect::DescriptorPool;
use regorus::Value;
use regorus::value::Object;

use crate::set::RouteValue;

pub(crate) use plan::InputPlan;
pub(crate) use source::Source;

/// What `input` is made from.
#[derive(Clone, Copy)]
pub(crate) struct Material<'a, 'r> {
    /// The request.
    pub(crate) source: Source<'a, 'r>,
    /// `principal` and `route`, for policies of our own.
    pub(crate) ours: Option<(&'a Identity, &'a RouteValue)>,
    /// Whether there are `parsed_body` and `truncated_body` at all.
    pub(crate) bodies: bool,
    /// gRPC services whose messages can be read.
    pub(crate) descriptors: Option<&'a DescriptorPool>,
}

/// Builds what `plan` names.
///
/// # Errors
/// A part that the policy reads cannot be parsed. The plugin parses all parts of every request, so in its place the parts
/// that are not read have to be parsed, too.
pub(crate) fn build(plan: &InputPlan, material: &Material<'_, '_>) -> Result<Value, String> {
    let source = &material.source;
    let strict = source.is_received();
    keys::with(|keys| {
        let mut root = Object::new();
        if plan.attributes.any() {
            root.insert(keys.attributes.clone(), attributes::build(&plan.attributes, source, keys));
        }
        if plan.version {
            root.insert(keys.version.clone(), keys.version_value.clone());
        }
        if plan.parsed_path || (strict && source.full_path().contains('%')) {
            root.insert(keys.parsed_path.clone(), parsed::path(source)?);
        }
        if plan.parsed_query || (strict && parsed::may_be_refused(source.query())) {
            root.insert(keys.parsed_query.clone(), parsed::query(source)?);
        }
        if material.bodies && (plan.parsed_body || strict) {
            let body = body::parse(source, material.descriptors)?;
            root.insert(keys.parsed_body.clone(), body.value);
            root.insert(keys.truncated_body.clone(), Value::Bool(body.truncated));
        }
        let peer = source.view().source().principal;
        if plan.source_principal && !peer.is_empty() {
            root.insert(keys.source_principal.clone(), Value::from(peer));
        }
        if let Some((identity, route)) = material.ours {
            if plan.principal {
                root.insert(keys.principal.clone(), principal::value(identity));
            }
            if plan.route {
                root.insert(keys.route.clone(), route.value.clone());
            }
        }
        Ok(root.into_value())
    })
}

#[cfg(test)]
mod tests;
