//! Every kind of answer, over every link and protocol.

use tests::{Ask, Client, Link, Protocol, Reply, Stack, raw, tls_trusting};

use crate::common::{good, orders, started};

/// What the client should see: HTTP status, and the status for gRPC (google.rpc.Code).
struct Case {
    name: &'static str,
    path: &'static str,
    token: Token,
    status: u16,
    grpc: i32,
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    None,
    Good,
    Scopeless,
    Broken,
}

const CASES: &[Case] = &[
    Case { name: "allowed", path: "/orders/7", token: Token::Good, status: 200, grpc: 0 },
    Case { name: "bad path", path: "/orders/7;admin=1", token: Token::Good, status: 400, grpc: 3 },
    Case { name: "no credential", path: "/orders/7", token: Token::None, status: 401, grpc: 16 },
    Case { name: "bad credential", path: "/orders/7", token: Token::Broken, status: 401, grpc: 16 },
    Case { name: "no scope", path: "/orders/7", token: Token::Scopeless, status: 403, grpc: 7 },
    Case { name: "no route", path: "/nowhere", token: Token::Good, status: 404, grpc: 12 },
    Case { name: "first of two", path: "/scarce/1", token: Token::Good, status: 200, grpc: 0 },
    Case { name: "second of two", path: "/scarce/2", token: Token::Good, status: 200, grpc: 0 },
    Case { name: "third of two", path: "/scarce/3", token: Token::Good, status: 429, grpc: 8 },
];

#[tokio::test(flavor = "multi_thread")]
async fn over_a_unix_socket() {
    whole_table(Link::Unix).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp() {
    whole_table(Link::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_mutual_tls() {
    whole_table(Link::Mtls).await;
}

async fn whole_table(link: Link) {
    let mut stack = Stack::with(&orders()).link(link).start().await.unwrap();
    for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Grpc] {
        for case in CASES {
            let reply = send(&stack, link, protocol, case).await;
            check(case, protocol, link, &reply);
        }
    }
    let hits = stack.upstream.hits();
    stack.gatehouse.process().signal("KILL").unwrap();
    stack.gatehouse.process().ended(std::time::Duration::from_secs(5)).await.unwrap();
    for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Grpc] {
        let gone = Case { name: "gatehouse is gone", path: "/orders/7", token: Token::Good, status: 503, grpc: 14 };
        check(&gone, protocol, link, &send(&stack, link, protocol, &gone).await);
    }
    assert_eq!(stack.upstream.hits(), hits, "{link:?}: a request passed without Gatehouse");
}

async fn send(stack: &Stack, link: Link, protocol: Protocol, case: &Case) -> Reply {
    // A subject of its own for each protocol, so that each has its own limit.
    let subject = format!("alice-{protocol:?}");
    let scopes = if case.token == Token::Scopeless { "other" } else { "orders:read" };
    let token = stack.issuer.token(&subject, scopes).unwrap();
    // gRPC has its own route: a service name and a method.
    let path = if protocol == Protocol::Grpc {
        case.path.replace("/orders/7", "/orders.Orders/Get")
    } else {
        case.path.to_owned()
    };
    let mut ask = Ask::get(&path).body("ping");
    ask = match case.token {
        Token::None => ask,
        Token::Good | Token::Scopeless => ask.bearer(&token),
        Token::Broken => ask.bearer(token.get(..token.len() - 8).unwrap()),
    };
    let mut client = Client::new(stack.envoy.port(), protocol);
    if link == Link::Mtls {
        client = client.tls(tls_trusting(&stack.authority.pem()).unwrap());
    }
    client.send(&ask).await.unwrap()
}

fn check(case: &Case, protocol: Protocol, link: Link, reply: &Reply) {
    let at =
        format!("{} over {link:?} and {protocol:?}: {} {:?} {}", case.name, reply.status, reply.headers, reply.text());
    if protocol == Protocol::Grpc {
        assert_eq!(reply.status, 200, "{at}");
        assert_eq!(reply.grpc_status(), Some(case.grpc), "{at}");
    } else {
        assert_eq!(reply.status, case.status, "{at}");
    }
    if case.grpc == 0 {
        let echo = reply.echo().unwrap();
        assert_eq!(echo.host, "api.example.com", "{at}");
        if case.path.starts_with("/orders") {
            assert_eq!(echo.all("x-user"), [format!("alice-{protocol:?}")], "{at}");
        }
    }
    let ours = case.name != "gatehouse is gone";
    if ours {
        assert!(!reply.header("x-request-id").is_empty(), "{at}");
    }
    if case.status == 401 {
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{at}");
    }
    if case.status == 429 {
        assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=3600).contains(&seconds)), "{at}");
    }
    if ours && case.status >= 400 && protocol != Protocol::Grpc {
        assert_eq!(reply.header("content-type"), "application/problem+json", "{at}");
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["status"], case.status, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_answered_in_html() {
    let stack = started().await;
    let reply = stack.ask(&Ask::get("/orders/7").header("accept", "text/html,application/xhtml+xml")).await.unwrap();
    assert_eq!(reply.status, 401);
    assert!(reply.header("content-type").starts_with("text/html"), "{:?}", reply.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_kept_or_made_and_always_returned() {
    let stack = started().await;
    let kept = stack
        .ask(&good(&stack, "/orders/7").header("x-request-id", "7a0e2b1c-94f5-4d0e-9b57-0b6f4a2f9b11"))
        .await
        .unwrap();
    assert_eq!(kept.header("x-request-id"), "7a0e2b1c-94f5-4d0e-9b57-0b6f4a2f9b11");
    assert_eq!(kept.echo().unwrap().all("x-request-id"), ["7a0e2b1c-94f5-4d0e-9b57-0b6f4a2f9b11"]);
    let made = stack.ask(&good(&stack, "/orders/7")).await.unwrap();
    let id = made.header("x-request-id");
    assert!(id.len() >= 16, "{id}");
    assert_eq!(made.echo().unwrap().all("x-request-id"), [id]);
}

/// RFC 6455: the upgrade passes when the request is allowed, and is refused as any other request.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_upgrade_is_decided_like_any_request() {
    let stack = started().await;
    let token = stack.issuer.token("alice", "orders:read").unwrap();
    let upgrade = |authorization: &str| {
        format!(
            "GET /orders/7 HTTP/1.1\r\nhost: api.example.com\r\n{authorization}connection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nhello-over-websocket"
        )
    };
    let answer =
        raw(stack.envoy.port(), upgrade(&format!("authorization: Bearer {token}\r\n")).as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    assert!(answer.ends_with("hello-over-websocket"), "{answer}");
    let hits = stack.upstream.hits();
    let answer = raw(stack.envoy.port(), upgrade("").as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(stack.upstream.hits(), hits);
}
