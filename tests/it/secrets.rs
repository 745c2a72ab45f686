//! Secrets and tokens appear in no log, no metric and no answer.

use tests::{Ask, Stack};

use crate::common::{good, orders};

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_found_nowhere() {
    let stack = Stack::with(&orders()).start().await.unwrap();
    let token = stack.issuer.token("alice", "orders:read").unwrap();
    let planted = [
        "S3CRET-basic-b64",
        "S3CRET-cookie",
        "S3CRET-query",
        "S3CRET-api-key",
        "S3CRET-bearer",
        "S3CRET-proxy",
        "S3CRET-body",
    ];
    let mut answers = String::new();
    let asks = [
        good(&stack, "/orders/7?api_key=S3CRET-query&x=1"),
        Ask::get("/orders/7?token=S3CRET-query"),
        Ask::get("/orders/7").bearer("S3CRET-bearer"),
        Ask::get("/orders/7").bearer("S3CRET-bearer.S3CRET-bearer.S3CRET-bearer"),
        Ask::get("/orders/7").header("authorization", "Basic S3CRET-basic-b64"),
        Ask::get("/nowhere?S3CRET-query"),
        good(&stack, "/scarce/1").method(http::Method::POST).body("S3CRET-body"),
    ];
    for ask in asks {
        let ask = ask.header("cookie", "session=S3CRET-cookie").header("x-api-key", "S3CRET-api-key");
        let reply = stack.ask(&ask.header("proxy-authorization", "Basic S3CRET-proxy")).await.unwrap();
        if reply.status != 200 {
            answers.push_str(&reply.text());
            answers.push_str(&format!("{:?}", reply.headers));
        }
    }
    // What is decided last is logged last.
    let last = stack.ask(&good(&stack, "/orders/last")).await.unwrap();
    let id = last.header("x-request-id").to_owned();
    let logged = async || stack.gatehouse.decision(&id).is_some();
    tests::eventually("the last decision is logged", std::time::Duration::from_secs(5), logged).await.unwrap();
    let log = stack.gatehouse.log();
    let metrics = stack.gatehouse.metrics().await.unwrap();
    let signature = token.rsplit('.').next().unwrap();
    for secret in planted.into_iter().chain([token.as_str(), signature]) {
        assert!(!log.contains(secret), "{secret} is in the log:\n{}", lines_with(&log, secret));
        assert!(!metrics.contains(secret), "{secret} is in the metrics:\n{}", lines_with(&metrics, secret));
        assert!(!answers.contains(secret), "{secret} is in an answer");
    }
}

fn lines_with(text: &str, secret: &str) -> String {
    text.lines().filter(|line| line.contains(secret)).collect::<Vec<_>>().join("\n")
}

/// Whatever a client writes, the number of series stays bounded.
#[tokio::test(flavor = "multi_thread")]
async fn labels_are_bounded() {
    let stack = Stack::with(&orders()).start().await.unwrap();
    let _warm = stack.ask(&good(&stack, "/orders/1")).await.unwrap();
    let _warm = stack.ask(&Ask::get("/nowhere")).await.unwrap();
    let before = stack.gatehouse.metrics().await.unwrap().lines().count();
    for number in 0..100 {
        let _ = stack.ask(&good(&stack, &format!("/orders/{number}"))).await.unwrap();
        let _ =
            stack.ask(&Ask::get(&format!("/nowhere/{number}")).host(&format!("h{number}.example.com"))).await.unwrap();
    }
    let after = stack.gatehouse.metrics().await.unwrap().lines().count();
    assert!(after <= before + 5, "{before} lines became {after}");
}
