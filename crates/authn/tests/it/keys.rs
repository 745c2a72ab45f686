//! Where keys come from, and what happens when they don't.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use model::Reason;
use serde_json::json;

use crate::harness::{CLIENT, Key, KeyServer, Process, bearer, claims, issuer, now, set, until};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_kids_is_one_fetch() {
    let key = Key::new("k1");
    let server = KeyServer::start(&set(&[&key])).await;
    let process = Process::new();
    let mut corp = issuer(&server.jwks());
    corp["min_refresh_interval"] = json!("1m");
    let loaded = process.load_all(&json!({ "issuers": { "corp": corp }, "failures": { "failures": 5000 } }), &["corp"]);
    process.loaded().await;
    server.change(|b| b.delay = Duration::from_millis(200));
    let tokens: Vec<String> = (0..500).map(|n| Key::new(&format!("no-{n}")).token(&claims("a"))).collect();
    let started = Instant::now();
    let asked = tokens.iter().map(|token| loaded.refusal(token));
    for reason in futures(asked).await {
        assert_eq!(reason, Reason::KeyUnknown);
    }
    for token in &tokens {
        assert_eq!(loaded.refusal(token).await, Reason::KeyUnknown);
    }
    assert_eq!(server.requests().len(), 2, "the first fetch, and one for all unknown keys");
    assert!(started.elapsed() < 5 * SECOND);
}

/// Runs all of them side by side.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_new_keys_no_longer_than_it_may() {
    let (key, next) = (Key::new("k1"), Key::new("k2"));
    let server = KeyServer::start(&set(&[&key])).await;
    let process = Process::new();
    let loaded = process.load(&issuer(&server.jwks()));
    process.loaded().await;
    server.change(|b| {
        b.body = set(&[&key, &next]);
        b.delay = Duration::from_millis(400);
    });
    let request = bearer(&next.token(&claims("a")));
    let started = Instant::now();
    let denial = loaded.ask_as(&request, CLIENT, now(), Some(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(denial.reason, Reason::KeyUnknown);
    assert!(started.elapsed() < Duration::from_millis(300), "{:?}", started.elapsed());
    assert!(loaded.ask(&request).await.is_ok(), "the next one joins the same fetch and has the time");
    assert_eq!(server.requests().len(), 2);
    assert!(loaded.subject(&key.token(&claims("old"))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_server_does_the_last_good_keys_stay_until_they_are_too_old() {
    let key = Key::new("k1");
    let server = KeyServer::start(&set(&[&key])).await;
    let process = Process::new();
    let mut corp = issuer(&server.jwks());
    corp["refresh"] = json!("1s");
    corp["max_staleness"] = json!("1h");
    let loaded = process.load(&corp);
    process.loaded().await;
    let nonsense = [
        ("200 OK", "text/html", "<html>we are moving</html>".to_owned()),
        ("200 OK", "application/json", "[]".to_owned()),
        ("200 OK", "application/json", r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.to_owned()),
        ("200 OK", "application/json", format!("{}{}", set(&[&key]), " ".repeat(10 * 1024 * 1024))),
        ("503 Down", "text/plain", set(&[])),
        ("302 Found\r\nlocation: https://evil.test/", "text/plain", String::new()),
    ];
    for (status, kind, body) in nonsense {
        let failed = process.seen.failed.load(Ordering::SeqCst);
        server.change(|b| (b.status, b.content_type, b.body) = (status, kind, body));
        until("a fetch fails", || process.seen.failed.load(Ordering::SeqCst) > failed).await;
        let status = process.ring.status().remove(0);
        assert!(status.last_error.is_some() && status.loaded_at.is_some(), "{status:?}");
        assert!(loaded.subject(&key.token(&claims(kind))).await.is_ok());
    }
    let stale_at = process.ring.status().remove(0).stale_at.unwrap();
    let mut late = claims("late");
    late["exp"] = json!(stale_at.as_secs() + 900);
    let token = key.token(&late);
    assert!(loaded.ask(&bearer(&token)).await.is_ok(), "it is cached now");
    let after = stale_at.saturating_add(SECOND);
    let denial = loaded.ask_as(&bearer(&token), CLIENT, after, None).await.unwrap_err();
    assert_eq!(denial.reason, Reason::KeysUnavailable, "a cached token is no better than its key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_means_no_keys_and_no_waiting() {
    let key = Key::new("k1");
    let server = KeyServer::start(&set(&[&key])).await;
    server.change(|b| b.delay = Duration::from_secs(60));
    let process = Process::new();
    let loaded = process.load(&issuer(&server.jwks()));
    let started = Instant::now();
    assert_eq!(loaded.refusal(&key.token(&claims("a"))).await, Reason::KeysUnavailable);
    assert!(started.elapsed() < SECOND);
    let status = process.ring.status().remove(0);
    assert_eq!((status.issuer.as_str(), status.loaded_at, status.stale_at), ("corp", None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_keys_are_confirmed_and_removed_ones_are_gone_at_once() {
    let (key, other) = (Key::new("k1"), Key::new("k2"));
    let server = KeyServer::start(&set(&[&key, &other])).await;
    server.change(|b| b.etag = Some("\"1\"".to_owned()));
    let process = Process::new();
    let mut corp = issuer(&server.jwks());
    corp["refresh"] = json!("1s");
    let loaded = process.load(&corp);
    process.loaded().await;
    let token = key.token(&claims("a"));
    assert!(loaded.subject(&token).await.is_ok());
    until("the keys are confirmed", || server.requests().iter().any(|r| r.contains("if-none-match: \"1\""))).await;
    let loaded_at = process.ring.status().remove(0).loaded_at;
    until("they are newer", || process.ring.status().remove(0).loaded_at > loaded_at).await;
    assert!(loaded.subject(&token).await.is_ok());
    assert_eq!(process.seen.verified.load(Ordering::SeqCst), 1, "what is confirmed keeps its tokens");

    // Another set with the same key and one less: the token of the key that stays remains cached, the other one is refused.
    let gone = other.token(&claims("b"));
    assert!(loaded.subject(&gone).await.is_ok());
    server.change(|b| (b.body, b.etag) = (set(&[&key]), Some("\"2\"".to_owned())));
    let refreshed = process.seen.refreshed.load(Ordering::SeqCst);
    until("they are fetched twice", || process.seen.refreshed.load(Ordering::SeqCst) > refreshed + 1).await;
    assert_eq!(loaded.refusal(&gone).await, Reason::KeyUnknown);
    assert!(loaded.subject(&token).await.is_ok());
    assert_eq!(process.seen.verified.load(Ordering::SeqCst), 2);

    // An issuer in trouble takes all its keys away.
    server.change(|b| (b.body, b.etag) = (set(&[]), None));
    let refreshed = process.seen.refreshed.load(Ordering::SeqCst);
    until("they are fetched twice", || process.seen.refreshed.load(Ordering::SeqCst) > refreshed + 1).await;
    assert_eq!(loaded.refusal(&token).await, Reason::KeyUnknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_again_and_a_broken_one_changes_nothing() {
    let (key, next) = (Key::new("k1"), Key::new("k2"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, set(&[&key])).unwrap();
    let process = Process::new();
    let loaded = process.load(&issuer(&json!({ "file": file })));
    assert!(loaded.subject(&key.token(&claims("a"))).await.is_ok(), "the file is there from the start");
    std::fs::write(&file, "{").unwrap();
    until("it is seen", || process.ring.status().remove(0).last_error.is_some()).await;
    std::fs::remove_file(&file).unwrap();
    assert!(loaded.subject(&key.token(&claims("b"))).await.is_ok());
    std::fs::write(&file, set(&[&key])).unwrap();
    until("it is good again", || process.ring.status().remove(0).last_error.is_none()).await;
    // Same length and, on a coarse clock, same time: contents count.
    std::fs::write(&file, set(&[&next])).unwrap();
    until("the new key is there", || process.seen.refreshed.load(Ordering::SeqCst) >= 2).await;
    assert!(loaded.subject(&next.token(&claims("c"))).await.is_ok());
    assert_eq!(loaded.refusal(&key.token(&claims("a"))).await, Reason::KeyUnknown);
}
