//! Answers in the form of opa-envoy-plugin.
//!
//! Strictly as the plugin: no header says whether it replaces or adds, and nothing is checked. Otherwise the same messages with
//! headers as Gatehouse writes them, and a fault becomes a denial, because Envoy may be told to let faults pass.

use std::borrow::Cow;

use bytes::Bytes;
use model::{Allowed, HeaderEdit, PluginAnswer, PluginReply, Refusal};

use super::{MAX_METADATA_DEPTH, PERMISSION_DENIED, Unencodable, denied_response, ok_response, query, structure};
use crate::wire::writer::Writer;

/// An answer ready for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded {
    /// A `CheckResponse`.
    Message(Bytes),
    /// A status of gRPC, with its message.
    Status(u8, String),
}

/// The answer as the plugin puts it.
///
/// # Errors
/// [`Unencodable`] when a header or the metadata is not fit for the wire, unless the reply is strict.
pub fn encode_plugin_reply(reply: &PluginReply) -> Result<Encoded, Unencodable> {
    let mut out = Writer::with_capacity(256);
    match &reply.answer {
        PluginAnswer::Fault { code, message } if reply.strict => return Ok(Encoded::Status(*code, message.clone())),
        PluginAnswer::Fault { message, .. } => status(&mut out, message),
        PluginAnswer::Allow(allowed) => {
            out.message(1, |_| ());
            match allowed {
                None => {}
                Some(allowed) if reply.strict => out.message(3, |ok| plain_ok(ok, allowed)),
                Some(allowed) => out.message(3, |ok| ok_response(ok, &lower(allowed)))?,
            }
        }
        PluginAnswer::Deny { message, refusal } => {
            status(&mut out, message);
            match refusal {
                None => {}
                Some(refusal) if reply.strict => out.message(2, |denied| plain_denied(denied, refusal)),
                // A policy that answers a request itself may say 2xx: Envoy sends it on as the answer to a refused request.
                Some(refusal) => {
                    let refusal = lower_refusal(refusal);
                    out.message(2, |denied| denied_response(denied, &refusal, refusal.status))?;
                }
            }
        }
    }
    if !reply.metadata.is_empty() {
        out.message(4, |fields| structure(fields, &reply.metadata, MAX_METADATA_DEPTH))?;
    }
    Ok(Encoded::Message(out.into_bytes().into()))
}

fn status(out: &mut Writer, message: &str) {
    out.message(1, |status| {
        status.integer(1, PERMISSION_DENIED);
        status.text(2, message);
    });
}

/// With names of headers as HTTP/2 wants them: Envoy takes any case, and policies use all. Most are in lower case.
fn lower(allowed: &Allowed) -> Cow<'_, Allowed> {
    let Allowed { headers, headers_to_remove, response_headers, .. } = allowed;
    let mut names = headers.iter().chain(response_headers).map(|edit| &edit.name).chain(headers_to_remove);
    if names.all(|name| is_lower(name)) {
        return Cow::Borrowed(allowed);
    }
    Cow::Owned(Allowed {
        headers: lower_all(headers),
        headers_to_remove: headers_to_remove.iter().map(|name| name.to_ascii_lowercase().into()).collect(),
        response_headers: lower_all(response_headers),
        ..allowed.clone()
    })
}

fn lower_refusal(refusal: &Refusal) -> Cow<'_, Refusal> {
    if refusal.headers.iter().all(|edit| is_lower(&edit.name)) {
        return Cow::Borrowed(refusal);
    }
    Cow::Owned(Refusal { headers: lower_all(&refusal.headers), ..refusal.clone() })
}

fn is_lower(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn lower_all(headers: &[HeaderEdit]) -> Vec<HeaderEdit> {
    let mut all: Vec<HeaderEdit> = Vec::with_capacity(headers.len());
    for edit in headers {
        let name = edit.name.to_ascii_lowercase();
        // The same name in another case is a further value.
        let append = edit.append || all.iter().any(|earlier| earlier.name == name);
        all.push(HeaderEdit { name: name.into(), append, ..edit.clone() });
    }
    all
}

fn plain_ok(ok: &mut Writer, allowed: &Allowed) {
    plain_headers(ok, 2, &allowed.headers);
    for name in &allowed.headers_to_remove {
        ok.bytes(5, name.as_bytes());
    }
    plain_headers(ok, 6, &allowed.response_headers);
    query(ok, allowed);
}

fn plain_denied(denied: &mut Writer, refusal: &Refusal) {
    denied.message(1, |status| status.integer(1, refusal.status.into()));
    plain_headers(denied, 2, &refusal.headers);
    denied.text(3, &refusal.body);
}

fn plain_headers(out: &mut Writer, tag: u32, headers: &[HeaderEdit]) {
    for edit in headers {
        out.message(tag, |option| {
            option.message(1, |header| {
                header.text(1, &edit.name);
                header.text(2, &edit.value);
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, check_response::HttpResponse};
    use prost::Message as _;
    use serde_json::{Map, Value};

    use super::*;

    fn decode(reply: &PluginReply) -> CheckResponse {
        match encode_plugin_reply(reply).expect("fit for the wire") {
            Encoded::Message(bytes) => CheckResponse::decode(bytes).expect("well formed"),
            Encoded::Status(..) => panic!("a message was wanted"),
        }
    }

    fn reply(answer: PluginAnswer, strict: bool) -> PluginReply {
        PluginReply { answer, metadata: Map::from_iter([("decision_id".to_owned(), Value::from("x"))]), strict }
    }

    #[test]
    fn a_bare_yes_or_no_has_no_response() {
        for strict in [false, true] {
            let yes = decode(&reply(PluginAnswer::Allow(None), strict));
            assert_eq!((yes.status.expect("status").code, yes.http_response), (0, None));
            let no = decode(&reply(PluginAnswer::Deny { message: String::new(), refusal: None }, strict));
            assert_eq!((no.status.expect("status").code, no.http_response), (7, None));
            assert!(no.dynamic_metadata.is_some());
        }
    }

    #[test]
    fn only_a_strict_fault_is_a_status_of_grpc() {
        let fault = |strict| PluginReply::fault(2, "undefined decision", strict);
        assert_eq!(encode_plugin_reply(&fault(true)), Ok(Encoded::Status(2, "undefined decision".to_owned())));
        let denied = decode(&fault(false)).status.expect("status");
        assert_eq!((denied.code, denied.message.as_str()), (7, "undefined decision"));
    }

    #[test]
    fn headers_say_how_they_are_applied_unless_strict() {
        let allowed = Allowed { headers: vec![HeaderEdit::set("x-a", "1")], ..Allowed::default() };
        for (strict, action, append) in [(true, 0, None), (false, 2, Some(false))] {
            let response = decode(&reply(PluginAnswer::Allow(Some(allowed.clone())), strict)).http_response;
            let Some(HttpResponse::OkResponse(ok)) = response else { panic!("{response:?}") };
            assert_eq!(ok.headers[0].append_action, action);
            #[expect(deprecated, reason = "older versions of Envoy read it")]
            let said = ok.headers[0].append.map(|a| a.value);
            assert_eq!(said, append);
        }
        let evil = Allowed { headers: vec![HeaderEdit::set("x-a", "1\r\nx-b: 2")], ..Allowed::default() };
        assert!(encode_plugin_reply(&reply(PluginAnswer::Allow(Some(evil)), false)).is_err());
    }

    #[test]
    fn a_denial_may_answer_with_success() {
        let refusal = Refusal { status: 204, ..Refusal::default() };
        for strict in [false, true] {
            let answer = PluginAnswer::Deny { message: String::new(), refusal: Some(refusal.clone()) };
            let response = decode(&reply(answer, strict));
            assert_eq!(response.status.expect("status").code, 7);
            let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("denied") };
            assert_eq!(denied.status.expect("status").code, 204);
        }
    }
}
