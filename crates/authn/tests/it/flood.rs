//! Tokens that are no good, many of them.

use std::time::Duration;

use model::Reason;
use serde_json::json;

use crate::harness::{Key, Loaded, Process, bearer, claims, issuer, now, set};

const ATTACKER: &str = "198.51.100.9";

async fn setting(failures: &serde_json::Value) -> (Process, Loaded, Key) {
    let key = Key::new("k1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, set(&[&key])).unwrap();
    let process = Process::new();
    let config = json!({ "issuers": { "corp": issuer(&json!({ "file": file })) }, "failures": failures });
    let loaded = process.load_all(&config, &["corp"]);
    (process, loaded, key)
}

#[tokio::test]
async fn an_attacker_pays_alone() {
    let (_process, loaded, key) = setting(&json!({ "failures": 10, "per": "1m" })).await;
    let forged = Key::new("k1");
    let (cached, at) = (key.token(&claims("early")), now());
    assert!(loaded.ask_as(&bearer(&cached), ATTACKER, at, None).await.is_ok());
    let mut reasons = Vec::new();
    for n in 0..1000 {
        let denial =
            loaded.ask_as(&bearer(&forged.token(&claims(&n.to_string()))), ATTACKER, at, None).await.unwrap_err();
        if denial.reason == Reason::FailureBudgetSpent {
            assert!(denial.retry_after.is_some_and(|wait| wait <= Duration::from_secs(60)), "{denial:?}");
            assert!(denial.challenge.is_none(), "another token would not help");
        }
        reasons.push(denial.reason);
    }
    assert_eq!(reasons.iter().filter(|r| **r == Reason::SignatureInvalid).count(), 10);
    assert_eq!(reasons.iter().filter(|r| **r == Reason::FailureBudgetSpent).count(), 990);
    let fresh = bearer(&key.token(&claims("late")));
    assert_eq!(loaded.ask_as(&fresh, ATTACKER, at, None).await.unwrap_err().reason, Reason::FailureBudgetSpent);
    assert!(loaded.ask_as(&bearer(&cached), ATTACKER, at, None).await.is_ok(), "what was verified before passes");
    assert!(loaded.ask(&fresh).await.is_ok(), "and so does everybody else");
    let later = at.saturating_add(Duration::from_secs(61));
    assert!(loaded.ask_as(&fresh, ATTACKER, later, None).await.is_ok());
}

/// What costs no signature is not counted: a client with an old token is not locked out.
#[tokio::test]
async fn cheap_refusals_are_not_counted() {
    let (_process, loaded, key) = setting(&json!({ "failures": 3, "per": "1m" })).await;
    let mut old = claims("old");
    old["exp"] = json!(1);
    let old = key.token(&old);
    for token in [old.as_str(), "x", "a.b.c", "e30.e30.AAAA"] {
        for _ in 0..10 {
            assert_ne!(loaded.refusal(token).await, Reason::FailureBudgetSpent);
        }
    }
    assert!(loaded.subject(&key.token(&claims("a"))).await.is_ok());
}

#[tokio::test]
async fn many_attackers_together_have_a_budget_too() {
    let (_process, loaded, key) = setting(&json!({ "failures": 5, "total": 50, "per": "1m" })).await;
    let forged = Key::new("k1");
    let (cached, at) = (key.token(&claims("early")), now());
    assert!(loaded.ask(&bearer(&cached)).await.is_ok());
    let mut checked = 0;
    for n in 0..200 {
        let request = bearer(&forged.token(&claims(&n.to_string())));
        let denial = loaded.ask_as(&request, &format!("10.0.{n}.1"), at, None).await.unwrap_err();
        checked += usize::from(denial.reason == Reason::SignatureInvalid);
    }
    assert_eq!(checked, 50);
    assert!(loaded.ask_as(&bearer(&cached), "10.9.9.9", at, None).await.is_ok());
}
