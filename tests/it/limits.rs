//! The limit stage and Envoy's own rate-limit filter give the same limits.

use tests::{Ask, Client, Protocol, Stack};

use crate::common::ISSUER;

const DESCRIPTORS: &str = r"
domain: edge
descriptors:
  - key: user
    rate_limit: { unit: hour, requests_per_unit: 5 }
";

const CONFIG: &str = r#"
ratelimit:
  descriptors: ratelimit/
apis:
  - name: orders
    hosts: [api.example.com]
    plaintext_credentials: accept
    authenticate: [{ jwt: corp }]
    routes:
      - match: { path: "/stage/{id}" }
        limit: { rates: [5/hour], per: principal, algorithm: fixed_window }
      - match: { path: "/filter/{id}" }
        respond: { metadata: { user: "{principal.subject}" } }
      - match: { path: "/burst/{id}" }
        limit: { rates: [3600/hour], burst: 5, per: principal, algorithm: token_bucket }
      - match: { path: "/both/{id}" }
        limit:
          - { rates: [100/hour], per: principal }
          - { rates: [5/hour], per: tenant, missing: deny }
      - match: { path: "/per-address/{id}" }
        authenticate: [anonymous]
        limit: { rates: [5/hour], per: principal, missing: address, algorithm: fixed_window }
"#;

async fn limited() -> Stack {
    Stack::with(&format!("{ISSUER}{CONFIG}")).file("ratelimit/edge.yaml", DESCRIPTORS).start().await.unwrap()
}

async fn statuses(stack: &Stack, path: &str, subject: Option<&str>, count: usize) -> Vec<u16> {
    let mut client: Client = stack.client(Protocol::Http2);
    let mut ask = Ask::get(path);
    if let Some(subject) = subject {
        ask = ask.bearer(&stack.issuer.token(subject, "").unwrap());
    }
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(client.send(&ask).await.unwrap().status);
    }
    statuses
}

const FIVE_THEN_NONE: [u16; 8] = [200, 200, 200, 200, 200, 429, 429, 429];

#[tokio::test(flavor = "multi_thread")]
async fn the_stage_and_the_filter_agree() {
    let stack = limited().await;
    for path in ["/stage/1", "/filter/1"] {
        for subject in ["alice", "bob"] {
            assert_eq!(statuses(&stack, path, Some(subject), 8).await, FIVE_THEN_NONE, "{path} {subject}");
        }
    }
    assert_eq!(stack.upstream.hits(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_say_how_much_is_left_and_when_to_come_back() {
    let stack = limited().await;
    let ask = Ask::get("/filter/1").bearer(&stack.issuer.token("alice", "").unwrap());
    let mut client = stack.client(Protocol::Http1);
    let first = client.send(&ask).await.unwrap();
    assert_eq!(first.header("x-ratelimit-remaining"), "4", "{:?}", first.headers);
    assert!(first.header("x-ratelimit-limit").starts_with('5'), "{:?}", first.headers);
    let _ = statuses(&stack, "/stage/1", Some("alice"), 5).await;
    let ask = Ask::get("/stage/1").bearer(&stack.issuer.token("alice", "").unwrap());
    let over = client.send(&ask).await.unwrap();
    assert_eq!(over.status, 429);
    assert!((1..=3600).contains(&over.header("retry-after").parse::<u64>().unwrap()), "{:?}", over.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_all_that_a_bucket_holds() {
    let stack = limited().await;
    let found = statuses(&stack, "/burst/1", Some("alice"), 8).await;
    let passed = found.iter().filter(|status| **status == 200).count();
    // One request a second comes back while the test runs.
    assert!((5..=7).contains(&passed), "{found:?}");
    assert_eq!(found.first(), Some(&200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_what_the_file_says() {
    let stack = limited().await;
    // No tenant, and `missing: deny`: refused, and the first limit is not charged either.
    assert_eq!(statuses(&stack, "/both/1", Some("alice"), 2).await, [403, 403]);
    // Anonymous, and `missing: address`: everybody at this address together.
    assert_eq!(statuses(&stack, "/per-address/1", None, 8).await, FIVE_THEN_NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_survive_a_reload() {
    let stack = limited().await;
    assert_eq!(statuses(&stack, "/stage/1", Some("alice"), 4).await, [200; 4]);
    stack.reconfigure(&format!("# changed\n{ISSUER}{CONFIG}      - match: {{ path: /new }}\n")).unwrap();
    let there = async || statuses(&stack, "/new", Some("bob"), 1).await == [200];
    tests::eventually("the new route", std::time::Duration::from_secs(10), there).await.unwrap();
    assert_eq!(statuses(&stack, "/stage/1", Some("alice"), 2).await, [200, 429]);
}
