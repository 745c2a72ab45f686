use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::harness::{Answered, CHECK, Client, LIMIT, allowed, denied, frame, read, request, start, start_tcp};

#[tokio::test]
async fn a_check_is_answered() {
    let gateway = start_tcp(json!({})).await;
    let mut client = gateway.client().await;
    let response = client.check("/a").await;
    assert!(allowed(&response));
    assert!(response.dynamic_metadata.is_some());
    assert_eq!(denied(&client.check("/deny").await), (403, "policy_denied".to_owned()));
    gateway.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_request_are_denied() {
    let gateway = start_tcp(json!({})).await;
    let mut client = gateway.client().await;
    let compressed = Bytes::from([&[1_u8, 0, 0, 0, 1][..], b"x"].concat());
    let twice = Bytes::from([frame(&request("/a")), frame(&request("/a"))].concat());
    for body in [
        Bytes::new(),
        frame(b""),
        frame(b"\xff\xff\xff"),
        frame(&[0x0b]),
        Bytes::from_static(b"\0\0"),
        compressed,
        twice,
    ] {
        let answered = client.raw(CHECK, "2S", body.clone()).await.unwrap();
        assert_eq!(denied(&read(&answered)), (400, "malformed_request".to_owned()), "{body:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_that_is_too_large_is_denied() {
    let gateway = start_tcp(json!({ "max_request": "64KiB" })).await;
    let mut client = gateway.client().await;
    let answered = client.raw(CHECK, "2S", frame(&vec![b'x'; 100_000])).await.unwrap();
    assert_eq!(denied(&read(&answered)), (413, "body_too_large".to_owned()));
    assert!(allowed(&client.check("/a").await));
    gateway.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_denial_and_the_connection_lives_on() {
    let gateway = start_tcp(json!({})).await;
    let mut client = gateway.client().await;
    assert_eq!(denied(&client.check("/panic").await), (500, "internal".to_owned()));
    assert_eq!(denied(&client.check("/split").await).0, 500);
    assert!(allowed(&client.check("/a").await));
    gateway.stop().await;
}

#[tokio::test]
async fn the_callers_deadline_is_kept() {
    let gateway = start_tcp(json!({ "max_deadline": "5s" })).await;
    let mut client = gateway.client().await;
    let started = std::time::Instant::now();
    let answered = client.raw(CHECK, "60m", frame(&request("/never"))).await.unwrap();
    assert_eq!(denied(&read(&answered)), (503, "deadline_exceeded".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(2));
    gateway.stop().await;
}

#[tokio::test]
async fn too_many_requests_at_work_are_shed() {
    let gateway = start_tcp(json!({ "max_in_flight": 1 })).await;
    let mut first = gateway.client().await;
    let mut second = first.clone();
    let (slow, shed) = tokio::join!(first.check("/slow"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        second.check("/a").await
    });
    assert!(allowed(&slow));
    let (status, body) = denied(&shed);
    assert_eq!(status, 503);
    assert!(body.contains("overloaded"), "{body}");
    assert!(allowed(&first.check("/a").await));
    gateway.stop().await;
}

#[tokio::test]
async fn a_caller_that_vanishes_harms_nobody() {
    let gateway = start_tcp(json!({ "max_in_flight": 4 })).await;
    for _ in 0..8 {
        let mut client = gateway.client().await;
        let call = tokio::spawn(async move { client.check("/never").await });
        tokio::time::sleep(Duration::from_millis(30)).await;
        call.abort();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(allowed(&gateway.client().await.check("/a").await));
    gateway.stop().await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envoy.sock");
    let gateway =
        start(json!({ "listeners": [{ "address": format!("unix:{}", path.display()), "serves": ["check"] }] })).await;
    let mut silent = UnixStream::connect(&path).await.unwrap();
    let mut slow = UnixStream::connect(&path).await.unwrap();
    slow.write_all(b"PRI * HTTP/2.0").await.unwrap();
    let mut client = Client::unix(&path).await.unwrap();
    for stream in [&mut silent, &mut slow] {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection is closed");
    }
    assert!(allowed(&client.check("/a").await), "who has said something stays");
    gateway.stop().await;
}

#[tokio::test]
async fn limits_are_answered() {
    let gateway = start_tcp(json!({})).await;
    let mut client = gateway.client().await;
    let ask =
        |domain: &str| RateLimitRequest { domain: domain.to_owned(), ..RateLimitRequest::default() }.encode_to_vec();
    let code = |answered: &Answered| RateLimitResponse::decode(answered.payload.clone()).unwrap().overall_code;
    assert_eq!(code(&client.call(LIMIT, &ask("ok")).await), 1);
    assert_eq!(code(&client.call(LIMIT, &ask("over")).await), 2);
    // What a caller can cause never passes uncounted.
    assert_eq!(code(&client.call(LIMIT, &ask("panic")).await), 2);
    assert_eq!(code(&client.call(LIMIT, b"\xff").await), 2);
    assert_eq!(client.call(LIMIT, &ask("")).await.grpc_status, "3");
    assert_eq!(client.call(LIMIT, &ask("lost")).await.grpc_status, "14");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let gateway = start_tcp(json!({})).await;
    let mut client = gateway.client().await;
    for path in ["/", "/envoy.service.auth.v3.Authorization/Other", "/envoy.service.auth.v2.Authorization/Check"] {
        assert_eq!(client.call(path, b"").await.grpc_status, "12", "{path}");
    }
    gateway.stop().await;
}
