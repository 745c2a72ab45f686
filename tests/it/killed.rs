//! Gatehouse killed, stopped or replaced under load: no request reaches the upstream without a decision.

use std::time::Duration;

use tests::{Ask, Load, Protocol, Stack, eventually, run_load};

use crate::common::{ISSUER, alone};

/// A header that only Gatehouse can write. The client forges it; Envoy does not know it.
const MARK: (&str, &str) = ("x-decided", "1f6a2d0c-only-gatehouse-knows");

fn config() -> String {
    format!(
        r#"{ISSUER}
apis:
  - name: orders
    hosts: [api.example.com]
    plaintext_credentials: accept
    routes:
      - match: {{ path: "/orders/{{id}}" }}
        authenticate: [{{ jwt: corp }}]
        respond: {{ request_headers: {{ {}: "{}" }} }}
"#,
        MARK.0, MARK.1
    )
}

fn load(stack: &Stack, seconds: u64) -> Load {
    let token = stack.issuer.token("alice", "orders:read").unwrap();
    Load {
        port: stack.envoy.port(),
        protocol: Protocol::Http2,
        connections: 8,
        per_second: 400,
        lasting: Duration::from_secs(seconds),
        requests: vec![
            Ask::get("/orders/1").bearer(&token).header(MARK.0, "forged"),
            Ask::get("/orders/2").header(MARK.0, "forged"),
        ],
    }
}

/// Sends load, does something to Gatehouse in the middle, and checks that nothing slipped through.
async fn under_load(signal: &str, stack: &mut Stack) {
    stack.upstream.expect_mark(MARK.0, MARK.1);
    let running = tokio::spawn(run_load(load(stack, 4)));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stack.gatehouse.process().signal(signal).unwrap();
    let outcome = running.await.unwrap().unwrap();
    assert_eq!(stack.upstream.unmarked(), 0, "requests reached the upstream without a decision");
    let passed = u64::try_from(outcome.count(200)).unwrap();
    assert!(passed > 50, "only {passed} requests passed before the signal");
    assert!(outcome.count(503) > 50, "only {} requests were refused after it", outcome.count(503));
    assert_eq!(outcome.surprise(&[200, 401, 503]), None);
    assert!(stack.upstream.hits() >= passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load() {
    let _alone = alone().await;
    let mut stack = Stack::with(&config()).patience(Duration::from_millis(300)).start().await.unwrap();
    under_load("KILL", &mut stack).await;
    stack.gatehouse.process().ended(Duration::from_secs(5)).await.unwrap();
    stack.restart_gatehouse().await.unwrap();
    let ask = load(&stack, 1).requests.remove(0);
    let back = async || stack.ask(&ask).await.is_ok_and(|reply| reply.status == 200);
    eventually("requests pass again", Duration::from_secs(10), back).await.unwrap();
    assert_eq!(stack.upstream.unmarked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_under_load() {
    let _alone = alone().await;
    let mut stack = Stack::with(&config()).patience(Duration::from_millis(300)).start().await.unwrap();
    under_load("STOP", &mut stack).await;
    stack.gatehouse.process().signal("CONT").unwrap();
    let ask = load(&stack, 1).requests.remove(0);
    let back = async || stack.ask(&ask).await.is_ok_and(|reply| reply.status == 200);
    eventually("requests pass again", Duration::from_secs(10), back).await.unwrap();
    assert_eq!(stack.upstream.unmarked(), 0);
}

/// With `failure_mode_allow`, Envoy lets a request pass when there is no answer: that is what the setting means. What
/// Gatehouse itself answers must not become one of these: every fault a request can cause is a denial.
#[tokio::test(flavor = "multi_thread")]
async fn with_failure_mode_allow_a_denial_stays_a_denial() {
    let stack = Stack::with(&config()).failure_mode_allow().start().await.unwrap();
    let huge = "A".repeat(64 * 1024);
    for ask in
        [Ask::get("/orders/1"), Ask::get("/nowhere"), Ask::get("/orders/1;x"), Ask::get("/orders/1").bearer(&huge)]
    {
        let reply = stack.ask(&ask).await.unwrap();
        assert!((400..500).contains(&reply.status), "{}: {}", reply.status, reply.text());
    }
    assert_eq!(stack.upstream.hits(), 0);
}

const ONE_SOCKET: &str = r#"apiVersion: gatehouse/v1
server:
  drain: 5s
  listeners:
    - { address: "unix:@SOCKET@", serves: [check, ratelimit] }
    - { address: "127.0.0.1:@HTTP_PORT@", serves: [health, metrics] }
"#;

/// SIGTERM finishes what is at work and ends with 0; a client that asks on is refused, never let through.
#[tokio::test(flavor = "multi_thread")]
async fn terminated_under_load_it_drains() {
    let _alone = alone().await;
    let mut stack = Stack::with(&format!("{ONE_SOCKET}{}", config())).own_server_section().start().await.unwrap();
    stack.upstream.expect_mark(MARK.0, MARK.1);
    let running = tokio::spawn(run_load(load(&stack, 4)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    stack.gatehouse.process().signal("TERM").unwrap();
    let status = stack.gatehouse.process().ended(Duration::from_secs(8)).await.unwrap();
    assert!(status.success(), "{status}");
    stack.restart_gatehouse().await.unwrap();
    let outcome = running.await.unwrap().unwrap();
    assert_eq!(outcome.surprise(&[200, 401, 503]), None);
    assert!(outcome.count(200) > 100, "{}", outcome.count(200));
    assert_eq!(stack.upstream.unmarked(), 0);
}
