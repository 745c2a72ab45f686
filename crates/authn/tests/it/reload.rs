//! Keys and tokens outlive configurations; what a token means does not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use config::Problems;
use model::Reason;
use serde_json::json;

use crate::harness::{Key, KeyServer, Process, bearer, claims, issuer, set, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_source_is_not_fetched_again() {
    let key = Key::new("k1");
    let server = KeyServer::start(&set(&[&key])).await;
    let process = Process::new();
    let before = process.load(&issuer(&server.jwks()));
    process.loaded().await;
    let token = key.token(&claims("a"));
    assert!(before.subject(&token).await.is_ok());
    server.change(|b| b.status = "500 Down");
    let after = process.load(&issuer(&server.jwks()));
    drop(before);
    assert!(after.subject(&token).await.is_ok());
    assert_eq!(process.seen.cached.load(Ordering::SeqCst), 1, "verified under the same rules");
    assert_eq!(server.requests().len(), 1);
}

/// Everything that changes what a token means makes another configuration, and what was cached under one counts in no other.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_verified_anew_under_other_rules() {
    let key = Key::new("k1");
    let server = KeyServer::start(&set(&[&key])).await;
    let process = Process::new();
    let loose = issuer(&server.jwks());
    let mut strict = loose.clone();
    strict["audiences"] = json!(["admin"]);
    let config = json!({ "issuers": { "loose": loose, "strict": strict } });
    let (loose, strict) = (process.load_all(&config, &["loose"]), process.load_all(&config, &["strict"]));
    process.loaded().await;
    let token = key.token(&claims("a"));
    assert!(loose.subject(&token).await.is_ok());
    assert_eq!(strict.refusal(&token).await, Reason::AudienceRefused);

    for change in [
        json!({ "issuer": "https://other.test" }),
        json!({ "algorithms": ["ES256"] }),
        json!({ "types": ["at+jwt"] }),
        json!({ "required_claims": ["jti"] }),
        json!({ "claims": { "subject": "name" } }),
        json!({ "max_token": "20B" }),
    ] {
        let mut other = issuer(&server.jwks());
        other.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reloaded = process.load_all(&json!({ "issuers": { "loose": other } }), &["loose"]);
        process.loaded().await;
        assert!(reloaded.subject(&token).await.is_err(), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_configuration_leaves_nothing_behind() {
    let server = KeyServer::start(&set(&[&Key::new("k1")])).await;
    let process = Process::new();
    let config = json!({ "issuers": { "good": issuer(&server.jwks()), "bad": {} } });
    let mut problems = Problems::new();
    drop(process.compile(&config, &mut problems));
    assert!(!problems.is_ok());
    assert!(process.ring.status().is_empty());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(server.requests().len() <= 1, "nobody goes on fetching");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_gone_is_no_longer_fetched() {
    let server = KeyServer::start(&set(&[&Key::new("k1")])).await;
    let process = Process::new();
    let mut corp = issuer(&server.jwks());
    corp["refresh"] = json!("1s");
    let before = process.load(&corp);
    process.loaded().await;
    let after = process.load_all(&json!({ "issuers": {} }), &[]);
    assert!(process.ring.status().is_empty() && after.authenticator.issuer_names().next().is_none());
    drop(before);
    let requests = server.requests().len();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(server.requests().len() <= requests + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_counts_from_the_reload_that_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let config = json!({
        "issuer": "https://i.test", "audiences": ["api"], "algorithms": ["HS256"], "secret": { "file": file },
    });
    let sign = |secret: &str| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256), &claims("a"), &key).unwrap()
    };
    let (old, new) = ("o".repeat(32), "n".repeat(32));
    let process = Process::new();
    std::fs::write(&file, format!("{old}\n")).unwrap();
    let before = process.load(&config);
    assert!(before.subject(&sign(&old)).await.is_ok());
    assert_eq!(before.refusal(&sign(&new)).await, Reason::SignatureInvalid);
    std::fs::write(&file, &new).unwrap();
    let after = process.load(&config);
    assert!(after.subject(&sign(&new)).await.is_ok());
    assert_eq!(after.refusal(&sign(&old)).await, Reason::SignatureInvalid, "cached or not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_without_room_changes_no_answer() {
    let key = Key::new("k1");
    let server = KeyServer::start(&set(&[&key])).await;
    let process = Process::new();
    let config = json!({ "issuers": { "corp": issuer(&server.jwks()) }, "token_cache": "0B" });
    let loaded = process.load_all(&config, &["corp"]);
    process.loaded().await;
    let request = bearer(&key.token(&claims("a")));
    for _ in 0..3 {
        assert!(loaded.ask(&request).await.is_ok());
    }
    assert_eq!((process.seen.verified.load(Ordering::SeqCst), process.seen.cached.load(Ordering::SeqCst)), (3, 0));
    until("keys stay", || !process.ring.status().is_empty()).await;
}
