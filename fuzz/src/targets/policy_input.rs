//! Requests in place of opa-envoy-plugin: `input` for policies, and the answer.
//!
//! An input is a request in text form: method, path, header lines, an empty line, the body. The body goes out as bytes when there is a
//! header `raw`.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use gateway::wire::{CheckIndex, Encoded, Scratch, encode_plugin_reply};
use model::PluginAnswer;
use policy::bundle::Bundle;
use policy::opa::{Loaded, Outcome, Plugin, PluginOptions};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use tokio::runtime::Runtime;

/// A request is refused as malformed, or policies see the same of it however they are evaluated and however much of it they read.
pub(super) fn run(bytes: &[u8]) {
    let message = CheckRequest { attributes: Some(attributes(bytes)) }.encode_to_vec();
    let scratch = Scratch::default();
    let index = CheckIndex::parse(&message, &scratch).expect("a message that was encoded here");
    let plugins = &*PLUGINS;
    let deadline = Instant::now() + Duration::from_secs(60);
    let input = plugins.whole.input(&index);
    let outcomes = [&plugins.whole, &plugins.parts, &plugins.interpreted].map(|plugin| {
        let (reply, record) = RUNTIME.block_on(plugin.check(&index, deadline));
        let encoded = encode_plugin_reply(&reply).expect("the plugin's answers are not checked");
        match record.outcome {
            Outcome::Result(result) => {
                assert!(matches!(encoded, Encoded::Message(_)));
                assert!(matches!(reply.answer, PluginAnswer::Allow(Some(_))), "{reply:?}");
                Ok(result.to_json())
            }
            Outcome::Error { code: "request_parse_error", message } => {
                let PluginAnswer::Deny { refusal: Some(refusal), .. } = reply.answer else {
                    panic!("a malformed request was answered with {reply:?}")
                };
                assert_eq!(refusal.status, 400);
                Err(message)
            }
            Outcome::Error { code, message } => panic!("a policy that cannot fail: {code}: {message}"),
        }
    });
    let [whole, parts, interpreted] = outcomes;
    assert_eq!(whole, interpreted, "the machines disagree");
    assert_eq!(whole.as_ref().err(), parts.as_ref().err(), "what is read decides on what is malformed");
    assert_eq!(whole.is_ok(), input.is_some(), "what the log shows is not what the policy saw");
    let (Ok(whole), Ok(parts), Some(input)) = (whole, parts, input) else { return };
    assert_eq!(shown(&whole), &input, "the policy saw something else than the log shows");
    for (name, value) in shown(&parts).as_object().into_iter().flatten() {
        assert_eq!(Some(value), input.pointer(name), "{name}");
    }
}

fn shown(result: &Value) -> &Value {
    result.pointer("/dynamic_metadata/shown").expect("an answer of the policies here")
}

pub(super) fn attributes(bytes: &[u8]) -> AttributeContext {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(end);
    let body = body.get(2..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split('\n');
    let (method, path) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        host: "a.test".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/2".to_owned(),
        size: i64::try_from(body.len()).unwrap_or_default(),
        ..HttpRequest::default()
    };
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        http.headers.insert(name.to_owned(), value.to_owned());
    }
    if http.headers.contains_key("raw") {
        http.raw_body = body.to_vec();
    } else {
        http.body = String::from_utf8_lossy(body).into_owned();
    }
    let request = Request { http: Some(http), ..Request::default() };
    AttributeContext { request: Some(request), ..AttributeContext::default() }
}

/// Answers may wait for requests that a policy makes; none here does.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(runtime);

pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

struct Plugins {
    /// Shows all of `input`.
    whole: Plugin,
    /// Shows parts of it, by their JSON pointers, and reads nothing else.
    parts: Plugin,
    /// Shows all of it, on the interpreter.
    interpreted: Plugin,
}

static PLUGINS: LazyLock<Plugins> = LazyLock::new(|| Plugins {
    whole: plugin(r#"allow := {"allowed": true, "dynamic_metadata": {"shown": input}}"#),
    parts: plugin(
        r#"
http := input.attributes.request.http
shown["/parsed_path"] := input.parsed_path
shown["/parsed_query"] := input.parsed_query
shown["/parsed_body"] := input.parsed_body
shown["/truncated_body"] := input.truncated_body
shown["/attributes/request/http/path"] := http.path
shown["/attributes/request/http/method"] := http.method
shown["/attributes/request/http/headers/content-type"] := http.headers["content-type"]
allow := {"allowed": true, "dynamic_metadata": {"shown": shown}}
"#,
    ),
    // Only the interpreter can be given this builtin.
    interpreted: plugin(
        r#"allow := {"allowed": true, "dynamic_metadata": {"shown": input}} if crypto.sha256("a") != "a""#,
    ),
});

fn plugin(rules: &str) -> Plugin {
    let policies = vec![("p.rego".to_owned(), format!("package p\n{rules}\n"), false)];
    let mut loaded = Loaded::default();
    loaded.add_bundle("b", &Bundle { policies, data: Value::Object(Default::default()), ..everywhere() });
    let descriptors = std::fs::read(crate::folder().join("keys/shop.desc")).expect("descriptors");
    let options = PluginOptions {
        path: vec!["p".to_owned(), "allow".to_owned()],
        descriptors: Some(DescriptorPool::decode(descriptors.as_slice()).expect("descriptors")),
        strict: true,
        ..PluginOptions::default()
    };
    Plugin::compile(&loaded, options).expect("a policy that compiles")
}

/// A bundle without contents whose root is all of `data`.
pub(super) fn everywhere() -> Bundle {
    let mut bundle = Bundle::default();
    bundle.manifest.roots = Some(vec![String::new()]);
    bundle
}
