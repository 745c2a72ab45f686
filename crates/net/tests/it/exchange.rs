//! Exchanges.

use std::time::{Duration, Instant};

use bytes::Bytes;
use net::{BuildError, Client, ClientConfig, FetchError, Fetched, Get, Plaintext, Validators};

use crate::server::Server;

const SECOND: Duration = Duration::from_secs(1);

fn client() -> Client {
    Client::new(ClientConfig::default()).unwrap()
}

async fn get(server: &Server, max_bytes: usize, timeout: Duration, known: &Validators) -> Result<Fetched, FetchError> {
    let address = server.address("/keys");
    client().get(Get { address: &address, plaintext: Plaintext::Refuse, max_bytes, timeout, validators: known }).await
}

#[tokio::test]
async fn a_body_comes_with_what_it_says_about_itself() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"1\"\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 2\r\n\r\n{}",
    );
    let fetched = get(&server, 2, SECOND, &Validators::default()).await.unwrap();
    let Fetched::Body { bytes, validators, content_type } = fetched else { panic!("{fetched:?}") };
    assert_eq!((&bytes[..], content_type.as_deref()), (&b"{}"[..], Some("application/json")));
    assert_eq!(validators.etag.as_deref(), Some("\"1\""));
    assert_eq!(validators.last_modified.as_deref(), Some("Thu, 01 Jan 2026 00:00:00 GMT"));
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(request.starts_with("get /keys http/1.1\r\n"), "{request}");
    assert!(request.contains("accept: application/json") && !request.contains("if-none-match"), "{request}");
}

#[tokio::test]
async fn what_is_known_is_asked_about() {
    let server = Server::answering("HTTP/1.1 304 Not Modified\r\n\r\n");
    let known = Validators { etag: Some("\"1\"".to_owned()), last_modified: Some("yesterday".to_owned()) };
    assert_eq!(get(&server, 10, SECOND, &known).await.unwrap(), Fetched::NotModified);
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(request.contains("if-none-match: \"1\"") && request.contains("if-modified-since: yesterday"), "{request}");
}

#[tokio::test]
async fn a_large_body_is_not_read_to_its_end() {
    let announced = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n");
    let refused = get(&announced, 1024, SECOND, &Validators::default()).await;
    assert!(matches!(refused, Err(FetchError::TooLarge(1024))), "{refused:?}");

    let endless = Server::endless();
    let started = Instant::now();
    let refused = get(&endless, 1024 * 1024, 10 * SECOND, &Validators::default()).await;
    assert!(matches!(refused, Err(FetchError::TooLarge(_))), "{refused:?}");
    assert!(started.elapsed() < 5 * SECOND);
    assert!(endless.sent_bytes() < 64 * 1024 * 1024, "{} bytes went out", endless.sent_bytes());
}

/// The deadline is for the whole: neither silence before the head nor a body that trickles gets more.
#[tokio::test]
async fn a_slow_server_does_not_hold_the_caller() {
    for server in [Server::silent(), Server::trickling()] {
        let started = Instant::now();
        let late = get(&server, 1024, Duration::from_millis(300), &Validators::default()).await;
        assert!(matches!(late, Err(FetchError::TimedOut(_))), "{late:?}");
        assert!(started.elapsed() < 2 * SECOND);
    }
}

#[tokio::test]
async fn redirects_and_other_statuses_are_not_followed() {
    let elsewhere = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let location = elsewhere.address("/");
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let head = format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let answer = get(&Server::answering(&head), 10, SECOND, &Validators::default()).await;
        assert!(matches!(answer, Err(FetchError::Status(300..=308))), "{answer:?}");
    }
    assert!(elsewhere.requests().is_empty());
    for (head, code) in [("HTTP/1.1 500 Oops\r\n\r\n", 500), ("HTTP/1.1 204 Nothing\r\n\r\n", 204)] {
        let answer = get(&Server::answering(head), 10, SECOND, &Validators::default()).await;
        assert!(matches!(answer, Err(FetchError::Status(status)) if status == code), "{answer:?}");
    }
}

#[tokio::test]
async fn no_server_or_no_http_is_a_failed_exchange() {
    for server in [Server::answering("SSH-2.0-server\r\n"), Server::answering("")] {
        let answer = get(&server, 10, SECOND, &Validators::default()).await;
        assert!(matches!(answer, Err(FetchError::Exchange(_))), "{answer:?}");
    }
    let address = Server::gone();
    let known = Validators::default();
    let get =
        Get { address: &address, plaintext: Plaintext::Refuse, max_bytes: 10, timeout: SECOND, validators: &known };
    let error = client().get(get).await.unwrap_err();
    assert!(matches!(error, FetchError::Exchange(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("/keys"), "the address is not in the message: {error:?}");
}

#[tokio::test]
async fn a_body_is_posted_as_it_is() {
    let server = Server::answering("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    let address = server.address("/v1/traces");
    client()
        .post(&address, Plaintext::Refuse, "application/x-protobuf", Bytes::from_static(b"abc"), SECOND)
        .await
        .unwrap();
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /v1/traces ") && request.ends_with("\r\n\r\nabc"), "{request}");
    let refused = Server::answering("HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n");
    let answer = client().post(&refused.address("/"), Plaintext::Refuse, "text/plain", Bytes::new(), SECOND).await;
    assert!(matches!(answer, Err(FetchError::Status(400))), "{answer:?}");
}

#[test]
fn authorities_have_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let absent = Client::new(ClientConfig { ca_file: Some(folder.path().join("none.pem")), ..ClientConfig::default() });
    assert!(matches!(absent, Err(BuildError::ReadAuthorities { .. })));
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").unwrap();
    assert!(matches!(
        Client::new(ClientConfig { ca_file: Some(empty), ..ClientConfig::default() }),
        Err(BuildError::NoAuthorities { .. })
    ));
}
