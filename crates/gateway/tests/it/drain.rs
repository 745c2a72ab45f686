use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{CHECK, allowed, frame, request, start_tcp};

#[tokio::test]
async fn requests_under_way_are_answered_before_the_end() {
    let gateway = start_tcp(json!({ "drain": "5s" })).await;
    let mut client = gateway.client().await;
    let call = tokio::spawn(async move { client.check("/slow").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    gateway.stop().await;
    assert!(allowed(&call.await.unwrap()));
    assert!(started.elapsed() < Duration::from_secs(3), "an idle connection does not hold the drain up");
}

#[tokio::test]
async fn the_drain_ends_even_if_a_request_does_not() {
    let gateway = start_tcp(json!({ "drain": "300ms", "max_deadline": "1h" })).await;
    let mut client = gateway.client().await;
    let call = tokio::spawn(async move { client.raw(CHECK, "1H", frame(&request("/never"))).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    gateway.stop().await;
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn an_old_connection_is_closed_without_losing_a_request() {
    let gateway = start_tcp(json!({ "max_connection_age": "150ms" })).await;
    let mut client = gateway.client().await;
    // Longer than the connection's age: it is asked to close while this request is at work.
    assert!(allowed(&client.check("/slow").await));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(client.raw(CHECK, "1S", frame(&request("/a"))).await.is_err(), "the connection is closed");
    assert!(allowed(&gateway.client().await.check("/a").await));
    gateway.stop().await;
}

#[tokio::test]
async fn connections_have_a_limit() {
    let gateway = start_tcp(json!({ "max_connections": 2 })).await;
    let (mut first, mut second) = (gateway.client().await, gateway.client().await);
    assert!(allowed(&first.check("/a").await) && allowed(&second.check("/a").await));
    if let Ok(mut third) = crate::harness::Client::over(gateway.tcp(0).await).await {
        assert!(third.raw(CHECK, "1S", frame(&request("/a"))).await.is_err());
    }
    assert!(allowed(&first.check("/a").await));
    gateway.stop().await;
}
