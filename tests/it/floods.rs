//! Large and many inputs: each ends in a clear denial, and the others are served on.

use std::time::Duration;

use tests::{Ask, Load, Protocol, Stack, run_load};

use crate::common::{ISSUER, alone, good, started};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_64_kib_is_refused() {
    let stack = started().await;
    let padded = stack.issuer.claims("alice").with("scope", "orders:read").with("padding", "A".repeat(48 * 1024));
    let token = stack.issuer.sign("ec-1", padded).unwrap();
    assert!(token.len() >= 64 * 1024, "{}", token.len());
    let reply = stack.ask(&Ask::get("/orders/7").bearer(&token)).await.unwrap();
    assert!([401, 431].contains(&reply.status), "{}", reply.status);
    assert_eq!(stack.upstream.hits(), 0);
    assert_eq!(stack.ask(&good(&stack, "/orders/7")).await.unwrap().status, 200);
}

/// Signatures that fail cost time; a source that fails too often buys no more of it. Who was verified before is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_random_tokens_spends_a_budget() {
    let _alone = alone().await;
    let stack = started().await;
    let verified = good(&stack, "/orders/7");
    assert_eq!(stack.ask(&verified).await.unwrap().status, 200);
    let forge = |number: u32| {
        let token = stack.issuer.sign("rsa-1", stack.issuer.claims(&format!("mallory-{number}"))).unwrap();
        let (message, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = verified_parts(&stack);
        Ask::get("/orders/7").bearer(&format!("{message}.{signature}"))
    };
    let load = Load {
        port: stack.envoy.port(),
        protocol: Protocol::Http2,
        connections: 8,
        per_second: 1_000,
        lasting: Duration::from_secs(3),
        requests: (0..200).map(forge).collect(),
    };
    let outcome = run_load(load).await.unwrap();
    assert_eq!(outcome.surprise(&[401, 429]), None);
    assert!(outcome.count(401) <= 120, "{} signatures were checked", outcome.count(401));
    assert!(outcome.count(429) > 500, "{}", outcome.count(429));
    assert_eq!(stack.ask(&verified).await.unwrap().status, 200, "a token verified before the flood");
    assert_eq!(stack.upstream.hits(), 2);
}

/// Message and signature of a token that is good for somebody else.
fn verified_parts(stack: &Stack) -> (String, String) {
    let token = stack.issuer.sign("rsa-1", stack.issuer.claims("somebody")).unwrap();
    token.rsplit_once('.').map(|(message, signature)| (message.to_owned(), signature.to_owned())).unwrap()
}

/// 100,000 keys are more than the store may hold: it stays bounded, answers every request, and lets none pass for free.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_limiter_keys() {
    let _alone = alone().await;
    let config = format!(
        r#"{ISSUER}
ratelimit: {{ max_keys: 20000 }}
apis:
  - name: keyed
    hosts: [api.example.com]
    routes:
      - match: {{ path: /keyed }}
        authenticate: [anonymous]
        limit: {{ rates: [1/day], per: {{ header: x-key }}, algorithm: fixed_window }}
"#
    );
    let stack = Stack::with(&config).start().await.unwrap();
    let connections = 32;
    let load = Load {
        port: stack.envoy.port(),
        protocol: Protocol::Http2,
        connections,
        per_second: 1_000_000,
        lasting: Duration::from_secs(90),
        requests: Vec::new(),
    };
    let statuses = distinct_keys(load, 100_000).await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(200) + count(503), 100_000, "other answers than 200 and 503");
    // One part of the store may be full earlier than another; the bound is rounded up to whole parts.
    assert!((10_000..=20_256).contains(&count(200)), "{} keys were taken", count(200));
    assert_eq!(stack.upstream.hits(), count(200) as u64);
    let again = stack.ask(&Ask::get("/keyed").header("x-key", "0-0")).await.unwrap();
    assert_eq!(again.status, 429, "a key that is known is still counted");
}

/// Each request has a key of its own.
async fn distinct_keys(load: Load, requests: usize) -> Vec<u16> {
    let mut tasks = tokio::task::JoinSet::new();
    let each = requests / load.connections;
    for connection in 0..load.connections {
        let mut client = tests::Client::new(load.port, load.protocol);
        tasks.spawn(async move {
            let mut statuses = Vec::with_capacity(each);
            for number in 0..each {
                let ask = Ask::get("/keyed").header("x-key", &format!("{connection}-{number}"));
                statuses.push(client.send(&ask).await.unwrap().status);
            }
            statuses
        });
    }
    let mut all = Vec::new();
    while let Some(part) = tasks.join_next().await {
        all.extend(part.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn many_and_large_headers_are_refused() {
    let stack = started().await;
    let many = (0..120).fold(good(&stack, "/orders/7"), |ask, number| ask.header(&format!("x-many-{number}"), "1"));
    assert_eq!(stack.ask(&many).await.unwrap().status, 431);
    let large = good(&stack, "/orders/7").header("x-large", &"A".repeat(70 * 1024));
    assert_eq!(stack.ask(&large).await.unwrap().status, 431);
    assert_eq!(stack.upstream.hits(), 0);
}

/// A client that goes away in the middle of its request leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_vanish() {
    use tokio::io::AsyncWriteExt as _;
    let stack = started().await;
    let token = stack.issuer.token("alice", "orders:read").unwrap();
    for _ in 0..200 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", stack.envoy.port())).await.unwrap();
        let request =
            format!("GET /orders/7 HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    assert_eq!(stack.ask(&good(&stack, "/orders/7")).await.unwrap().status, 200);
}
