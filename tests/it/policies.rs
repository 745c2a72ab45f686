//! Policies through Envoy: with the body, and when they misbehave.

use std::time::{Duration, Instant};

use http::Method;
use tests::{Ask, Sample, Stack};

use crate::common::{ISSUER, good};

const CONFIG: &str = r#"
policy:
  bundles: { main: { path: policies/ } }
apis:
  - name: payments
    hosts: [api.example.com]
    plaintext_credentials: accept
    authenticate: [{ jwt: corp }]
    routes:
      - match: { path: /payments, methods: [POST] }
        authorize: { rego: data.payments.allow }
      - match: { path: /endless }
        authorize: { rego: data.bad.endless }
      - match: { path: /undefined }
        authorize: { rego: data.bad.undefined_rule }
      - match: { path: /text }
        authorize: { rego: data.bad.text }
      - match: { path: /conflict }
        authorize: { rego: data.bad.conflict }
      - match: { path: /answer }
        authorize: { rego: data.answers.decision }
"#;

const PAYMENTS: &str = r#"
package payments
default allow := false
allow if {
    input.parsed_body.currency == "EUR"
    input.parsed_body.amount < 100
}
"#;

const BAD: &str = r#"
package bad
endless if {
    some a in numbers.range(1, 20000)
    some b in numbers.range(1, 20000)
    a * b == -1
}
undefined_rule if input.nothing.at.all == 1
text := "yes"
conflict := x if { some x in [true, false] }
"#;

const ANSWERS: &str = r#"
package answers
decision := {
    "allowed": false,
    "http_status": 302,
    "headers": {"location": "https://login.example.com/"},
    "body": "go there",
} if input.attributes.request.http.headers["x-mode"] == "redirect"
decision := {
    "allowed": true,
    "headers": {"x-department": "sales"},
    "request_headers_to_remove": ["x-mode"],
    "response_headers_to_add": {"x-policy": "1"},
} if input.attributes.request.http.headers["x-mode"] == "pass"
"#;

async fn started() -> Stack {
    Stack::with(&format!("{ISSUER}{CONFIG}"))
        .sample(Sample::WithBody)
        .file("policies/payments.rego", PAYMENTS)
        .file("policies/bad.rego", BAD)
        .file("policies/answers.rego", ANSWERS)
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_reads_the_body() {
    let stack = started().await;
    let pay = |body: String| {
        good(&stack, "/payments").method(Method::POST).header("content-type", "application/json").body(body)
    };
    let statuses = [
        (r#"{"currency":"EUR","amount":50}"#.to_owned(), 200),
        (r#"{"currency":"EUR","amount":500}"#.to_owned(), 403),
        (r#"{"currency":"USD","amount":50}"#.to_owned(), 403),
        ("{".to_owned(), 403),
        (String::new(), 403),
        (format!(r#"{{"currency":"EUR","amount":50,"x":"{}"}}"#, "A".repeat(9_000)), 413),
    ];
    for (body, wanted) in statuses {
        let reply = stack.ask(&pay(body.clone())).await.unwrap();
        let malformed_is_refused_earlier = body == "{" && reply.status == 400;
        assert!(
            reply.status == wanted || malformed_is_refused_earlier,
            "{body:.60}: {} {}",
            reply.status,
            reply.text()
        );
        if reply.status == 200 {
            assert_eq!(reply.echo().unwrap().body_bytes, body.len(), "the service sees the whole body");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_is_a_refusal_and_soon() {
    let stack = started().await;
    for path in ["/endless", "/undefined", "/text", "/conflict"] {
        let begin = Instant::now();
        let reply = stack.ask(&good(&stack, path)).await.unwrap();
        assert_eq!(reply.status, 403, "{path}: {}", reply.text());
        assert!(begin.elapsed() < Duration::from_secs(1), "{path} took {:?}", begin.elapsed());
    }
    assert_eq!(stack.upstream.hits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_can_write_the_whole_answer() {
    let stack = started().await;
    let redirect = stack.ask(&good(&stack, "/answer").header("x-mode", "redirect")).await.unwrap();
    assert_eq!((redirect.status, redirect.text().as_str()), (302, "go there"));
    assert_eq!(redirect.header("location"), "https://login.example.com/");
    let pass = stack.ask(&good(&stack, "/answer").header("x-mode", "pass")).await.unwrap();
    assert_eq!((pass.status, pass.header("x-policy")), (200, "1"));
    let echo = pass.echo().unwrap();
    assert_eq!(echo.all("x-department"), ["sales"]);
    assert!(echo.all("x-mode").is_empty());
    let neither: Ask = good(&stack, "/answer");
    assert_eq!(stack.ask(&neither).await.unwrap().status, 403);
}
