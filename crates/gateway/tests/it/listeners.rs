use std::os::unix::fs::PermissionsExt;

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use gateway::config::Address;
use hyper_util::rt::TokioIo;
use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::harness::{Client, allowed, denied, request, start, start_tcp};

#[tokio::test]
async fn a_unix_socket_serves_an_ordinary_client() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envoy.sock");
    let address = format!("unix:{}", path.display());
    let gateway = start(json!({ "listeners": [{ "address": address, "serves": ["check"], "mode": "0600" }] })).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let socket = path.clone();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    let channel = tonic::transport::Endpoint::from_static("http://gatehouse").connect_with_connector(connector).await;
    let mut client = AuthorizationClient::new(channel.unwrap());
    let message = CheckRequest::decode(&*request("/a")).unwrap();
    assert!(allowed(&client.check(message).await.unwrap().into_inner()));
    // What this listener does not serve is not there.
    let mut raw = Client::unix(&path).await.unwrap();
    assert_eq!(raw.call(crate::harness::LIMIT, b"").await.grpc_status, "12");
    gateway.stop().await;
    assert!(!path.exists(), "the socket file is removed");
}

#[tokio::test]
async fn only_a_dead_socket_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envoy.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    // Left by one that was killed before it had given the socket its name.
    let unnamed = folder.path().join(format!(".{}", std::process::id()));
    drop(std::os::unix::net::UnixListener::bind(&unnamed).unwrap());
    let section = json!({ "drain_notice": "1ms", "listeners": [{ "address": format!("unix:{}", path.display()), "serves": ["check"] }] });
    let gateway = start(section.clone()).await;
    let second = std::panic::AssertUnwindSafe(start(section.clone()));
    assert!(tokio::spawn(second).await.is_err(), "a live socket is not taken over");
    assert!(allowed(&Client::unix(&path).await.unwrap().check("/a").await));
    assert!(!unnamed.exists());
    gateway.stop().await;
    std::fs::write(&path, "text").unwrap();
    assert!(tokio::spawn(start(section)).await.is_err(), "a file that is no socket is left alone");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
}

#[tokio::test]
async fn other_users_are_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envoy.sock");
    let listener =
        json!({ "address": format!("unix:{}", path.display()), "serves": ["check"], "peer_uids": [4_000_000] });
    let gateway = start(json!({ "listeners": [listener] })).await;
    if let Ok(mut client) = Client::unix(&path).await {
        assert!(client.raw(crate::harness::CHECK, "1S", crate::harness::frame(&request("/a"))).await.is_err());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn health_and_reflection_answer() {
    let gateway = start_tcp(json!({})).await;
    let mut client = gateway.client().await;
    // HealthCheckRequest { service }, HealthCheckResponse { status: SERVING }
    for service in ["", "envoy.service.auth.v3.Authorization", "envoy.service.ratelimit.v3.RateLimitService"] {
        let message = [&[0x0a, service.len() as u8], service.as_bytes()].concat();
        let answered = client.call("/grpc.health.v1.Health/Check", &message).await;
        assert_eq!((&*answered.grpc_status, &*answered.payload), ("0", &[8, 1][..]), "{service}");
    }
    assert_eq!(client.call("/grpc.health.v1.Health/Check", b"\x0a\x01x").await.grpc_status, "5");
    // ServerReflectionRequest { list_services: "" }
    let answered = client.call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"\x3a\0").await;
    let text = String::from_utf8_lossy(&answered.payload).into_owned();
    for name in
        ["envoy.service.auth.v3.Authorization", "envoy.service.ratelimit.v3.RateLimitService", "grpc.health.v1.Health"]
    {
        assert!(text.contains(name), "{name} is missing in {text:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn reflection_is_off_unless_asked_for() {
    let gateway = start(json!({ "listeners": [{ "address": "127.0.0.1:0", "serves": ["check"] }] })).await;
    let answered =
        gateway.client().await.call("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"\x3a\0").await;
    assert_eq!(answered.grpc_status, "12");
    gateway.stop().await;
}

#[tokio::test]
async fn probes_and_metrics_are_http() {
    let gateway = start(json!({ "drain_notice": "400ms", "listeners": [
        { "address": "127.0.0.1:0", "serves": ["health", "metrics"] },
        { "address": "127.0.0.1:0", "serves": ["check"] },
    ] }))
    .await;
    let Address::Tcp(address) = gateway.addresses[0].clone() else { panic!("TCP") };
    let get = |path: &'static str| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let line = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    assert!(get("/livez").await.starts_with("HTTP/1.1 200"));
    let ready = get("/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("jwks:corp"), "{ready}");
    assert!(get("/metrics").await.contains("gatehouse_up 1"));
    assert!(get("/admin").await.starts_with("HTTP/1.1 404"));
    gateway.shutdown.cancel();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let ready = get("/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("draining"), "{ready}");
    // Between the notice and the end, requests are still decided.
    let mut client = Client::over(gateway.tcp(1).await).await.unwrap();
    assert_eq!(denied(&client.check("/deny").await).0, 403);
    let health = client.call("/grpc.health.v1.Health/Check", b"").await;
    assert_eq!(&*health.payload, &[8, 2], "NOT_SERVING");
    gateway.stop().await;
}
