//! Key servers that are down, slow or lie.

use std::time::{Duration, Instant};

use tests::{Ask, Fault, Kind, SigningKey, Stack, eventually};

use crate::common::{good, orders, started};

const FAULTS: [Fault; 4] = [Fault::Down, Fault::Slow, Fault::Html, Fault::Huge];

#[tokio::test(flavor = "multi_thread")]
async fn keys_once_loaded_outlive_every_fault() {
    let stack = started().await;
    assert_eq!(stack.ask(&good(&stack, "/orders/7")).await.unwrap().status, 200);
    for fault in FAULTS {
        stack.jwks.set_fault(fault);
        let unknown = stack.issuer.claims("alice").header("kid", format!("{fault:?}"));
        let unknown = Ask::get("/orders/7").bearer(&stack.issuer.sign("ec-1", unknown).unwrap());
        let begin = Instant::now();
        assert_eq!(stack.ask(&unknown).await.unwrap().status, 401, "{fault:?}");
        assert!(begin.elapsed() < Duration::from_secs(6), "{fault:?}: an unknown key held the request up");
        assert_eq!(stack.ask(&good(&stack, "/orders/8")).await.unwrap().status, 200, "{fault:?}");
    }
}

/// Keys that were never there are a denial: `failure_mode_allow` must not turn their loss into a way in.
#[tokio::test(flavor = "multi_thread")]
async fn keys_never_loaded_are_a_denial_and_come_back() {
    let config = orders().replace("@JWKS_URL@", "http://127.0.0.1:1/jwks.json");
    let stack = Stack::with(&config).failure_mode_allow().start().await.unwrap();
    let reply = stack.ask(&good(&stack, "/orders/7")).await.unwrap();
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(stack.upstream.hits(), 0);
    assert_eq!(stack.ask(&Ask::get("/healthz")).await.unwrap().status, 200);
    assert_eq!(stack.gatehouse.readyz().await.unwrap().status, 503);
    stack.reconfigure(&orders()).unwrap();
    let ask = good(&stack, "/orders/7");
    let back = async || stack.ask(&ask).await.is_ok_and(|reply| reply.status == 200);
    eventually("keys from the right address", Duration::from_secs(20), back).await.unwrap();
    assert_eq!(stack.gatehouse.readyz().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let mut stack = started().await;
    assert_eq!(stack.ask(&good(&stack, "/orders/7")).await.unwrap().status, 200);
    stack.issuer.add(SigningKey::generate("next", Kind::Es256).unwrap());
    stack.jwks.set_keys(stack.issuer.jwks());
    let token = stack.issuer.sign("next", stack.issuer.claims("alice").with("scope", "orders:read")).unwrap();
    let ask = Ask::get("/orders/7").bearer(&token);
    let accepted = async || stack.ask(&ask).await.is_ok_and(|reply| reply.status == 200);
    eventually("the new key", Duration::from_secs(40), accepted).await.unwrap();
}

/// Unknown key ids cannot make Gatehouse ask the issuer without end.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_key_ids_asks_the_issuer_seldom() {
    let stack = started().await;
    let before = stack.jwks.hits();
    for number in 0..200 {
        let claims = stack.issuer.claims("alice").header("kid", format!("unknown-{number}"));
        let token = stack.issuer.sign("ec-1", claims).unwrap();
        let status = stack.ask(&Ask::get("/orders/7").bearer(&token)).await.unwrap().status;
        assert!([401, 429].contains(&status), "{status}");
    }
    let asked = stack.jwks.hits() - before;
    assert!(asked <= 5, "the issuer was asked {asked} times");
}
