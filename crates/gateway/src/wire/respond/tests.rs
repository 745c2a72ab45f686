use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, check_response::HttpResponse};
use envoy_types::pb::google::protobuf::value::Kind;
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::*;

fn read(answer: &Answer) -> CheckResponse {
    CheckResponse::decode(encode_answer(answer, &Map::new()).expect("fit for the wire")).expect("well formed")
}

fn ok(answer: &Answer) -> envoy_types::pb::envoy::service::auth::v3::OkHttpResponse {
    match read(answer).http_response {
        Some(HttpResponse::OkResponse(ok)) => ok,
        other => panic!("{other:?}"),
    }
}

/// Name, value, `append`, `append_action`.
#[expect(deprecated, reason = "older Envoy versions read `append`")]
fn edit(option: &HeaderValueOption) -> (String, String, Option<bool>, i32) {
    let header = option.header.clone().expect("header");
    (header.key, header.value, option.append.map(|a| a.value), option.append_action)
}

fn edits(options: &[HeaderValueOption]) -> Vec<(String, String, Option<bool>, i32)> {
    options.iter().map(edit).collect()
}

fn wanted(name: &str, value: &str, append: bool) -> (String, String, Option<bool>, i32) {
    (name.to_owned(), value.to_owned(), Some(append), if append { 0 } else { 2 })
}

fn append(name: &'static str, value: &str) -> HeaderEdit {
    HeaderEdit { append: true, ..HeaderEdit::set(name, value) }
}

#[test]
fn every_header_says_twice_whether_it_appends() {
    let answer = Answer::Allow(Allowed {
        headers: vec![HeaderEdit::set("x-user", "a"), HeaderEdit::set("x-user", "b"), append("x-more", "c")],
        response_headers: vec![HeaderEdit::set("x-one", "1"), HeaderEdit::set("set-cookie", "a=b")],
        ..Allowed::default()
    });
    let ok = ok(&answer);
    assert_eq!(
        edits(&ok.headers),
        [wanted("x-user", "a", false), wanted("x-user", "b", true), wanted("x-more", "c", true)]
    );
    assert_eq!(edits(&ok.response_headers_to_add), [wanted("x-one", "1", false), wanted("set-cookie", "a=b", true)]);
    let denied = Refusal { status: 401, headers: vec![append("set-cookie", "x")], body: "no".to_owned() };
    let response = read(&Answer::Deny(denied));
    assert_eq!(response.status.as_ref().map(|s| s.code), Some(7));
    let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("not denied") };
    assert_eq!((denied.status.map(|s| s.code), &*denied.body), (Some(401), "no"));
    assert_eq!(edits(&denied.headers), [wanted("set-cookie", "x", false)]);
}

#[test]
fn a_name_is_set_or_removed_never_both() {
    let answer = Answer::Allow(Allowed {
        headers: vec![append("x-user", "a"), HeaderEdit::set(":path", "/b")],
        headers_to_remove: vec!["x-user".into(), "x-old".into()],
        ..Allowed::default()
    });
    let ok = ok(&answer);
    assert_eq!(edits(&ok.headers), [wanted("x-user", "a", false), wanted(":path", "/b", false)]);
    assert_eq!(ok.headers_to_remove, ["x-old"]);
}

#[test]
fn a_lost_dependency_is_an_error_and_nothing_else() {
    let response = read(&Answer::Error(Refusal { status: 503, headers: vec![], body: String::new() }));
    assert_eq!(response.status.as_ref().map(|s| s.code), Some(14));
    assert!(
        matches!(response.http_response, Some(HttpResponse::ErrorResponse(e)) if e.status.map(|s| s.code) == Some(503))
    );
}

#[test]
fn a_refusal_cannot_carry_a_status_that_allows() {
    for status in [0, 100, 200, 204, 299, 600, u16::MAX] {
        let response = read(&Answer::Deny(Refusal { status, headers: vec![], body: String::new() }));
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("not denied") };
        assert_eq!(denied.status.map(|s| s.code), Some(403));
    }
}

#[test]
fn headers_that_would_split_a_message_are_refused() {
    for (name, value) in
        [("x-a", "b\r\nx-evil: 1"), ("x-a", "b\0"), ("x-a", "\x7f"), ("X-A", "b"), ("x a", "b"), ("", "b")]
    {
        let edit = HeaderEdit::set(name, value);
        let allow = Answer::Allow(Allowed { headers: vec![edit.clone()], ..Allowed::default() });
        let deny = Answer::Deny(Refusal { status: 403, headers: vec![edit], body: String::new() });
        assert!(encode_answer(&allow, &Map::new()).is_err(), "{name:?}: {value:?}");
        assert!(encode_answer(&deny, &Map::new()).is_err(), "{name:?}: {value:?}");
    }
    let remove = Answer::Allow(Allowed { headers_to_remove: vec![":path".into()], ..Allowed::default() });
    assert_eq!(encode_answer(&remove, &Map::new()), Err(Unencodable::HeaderName(":path".to_owned())));
}

#[test]
fn metadata_and_query_reach_envoy() {
    let answer = Answer::Allow(Allowed {
        query_set: vec![("a".to_owned(), "1".to_owned())],
        query_remove: vec!["b".to_owned()],
        ..Allowed::default()
    });
    let metadata =
        json!({ "user": "alice", "n": 1.5, "list": [true, null], "in": { "k": "v" }, "long": "x".repeat(300) });
    let Value::Object(metadata) = metadata else { panic!("an object") };
    let bytes = encode_answer(&answer, &metadata).expect("fit for the wire");
    let response = CheckResponse::decode(bytes).expect("well formed");
    let fields = response.dynamic_metadata.clone().expect("metadata").fields;
    assert_eq!(fields["user"].kind, Some(Kind::StringValue("alice".to_owned())));
    assert_eq!(fields["n"].kind, Some(Kind::NumberValue(1.5)));
    assert_eq!(fields["long"].kind, Some(Kind::StringValue("x".repeat(300))));
    assert!(matches!(&fields["list"].kind, Some(Kind::ListValue(l)) if l.values.len() == 2));
    assert!(matches!(&fields["in"].kind, Some(Kind::StructValue(s)) if s.fields.len() == 1));
    let ok = ok(&answer);
    assert_eq!((&*ok.query_parameters_to_set[0].key, &*ok.query_parameters_to_set[0].value), ("a", "1"));
    assert_eq!(ok.query_parameters_to_remove, ["b"]);
}

#[test]
fn metadata_that_envoy_would_not_read_is_refused() {
    let mut value = json!(1);
    for _ in 0..40 {
        value = json!([value]);
    }
    let metadata = Map::from_iter([("deep".to_owned(), value)]);
    assert_eq!(encode_answer(&Answer::Allow(Allowed::default()), &metadata), Err(Unencodable::Depth));
}

#[test]
fn every_reason_has_a_refusal_of_its_own() {
    for reason in Reason::ALL {
        let response = CheckResponse::decode(refuse(*reason)).expect("well formed");
        assert_eq!(response.status.map(|s| s.code), Some(7));
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
            panic!("{reason:?} is no denial")
        };
        assert_eq!(denied.status.map(|s| s.code), Some(reason.status().into()));
        let body: Value = serde_json::from_str(&denied.body).expect("a JSON body");
        assert_eq!(body["code"], reason.as_str());
    }
}

fn any_edit() -> impl Strategy<Value = HeaderEdit> {
    ("[a-z-]{1,8}", "[ -~]{0,200}", any::<bool>()).prop_map(|(name, value, append)| HeaderEdit {
        name: name.into(),
        value,
        append,
    })
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let edits = || proptest::collection::vec(any_edit(), 0..4);
    let refusal =
        || (any::<u16>(), edits(), ".{0,300}").prop_map(|(status, headers, body)| Refusal { status, headers, body });
    let allowed =
        (edits(), proptest::collection::vec("[a-z-]{1,8}", 0..4), edits()).prop_map(|(headers, remove, response)| {
            Allowed {
                headers,
                headers_to_remove: remove.into_iter().map(Into::into).collect(),
                response_headers: response,
                ..Allowed::default()
            }
        });
    prop_oneof![allowed.prop_map(Answer::Allow), refusal().prop_map(Answer::Deny), refusal().prop_map(Answer::Error)]
}

proptest! {
    #[test]
    fn status_is_zero_exactly_when_the_body_allows(answer in any_answer()) {
        let response = read(&answer);
        let code = response.status.as_ref().map(|s| s.code);
        let allows = matches!(response.http_response, Some(HttpResponse::OkResponse(_)));
        prop_assert_eq!(code == Some(0), allows);
        prop_assert_eq!(allows, matches!(answer, Answer::Allow(_)));
        if let Some(HttpResponse::OkResponse(ok)) = response.http_response {
            for name in &ok.headers_to_remove {
                prop_assert!(ok.headers.iter().all(|h| edit(h).0 != *name));
            }
        }
    }
}
