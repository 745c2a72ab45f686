//! The upstream sees exactly the headers and the path it should, with and without Envoy's help.

use tests::upstream::Echo;
use tests::{Ask, Stack, raw};

use crate::common::{good, orders};

/// Headers that a client sends and that no upstream may ever see.
const FORGED: &[(&str, &str)] = &[
    ("x-user", "admin"),
    ("X-User", "admin"),
    ("x_user", "admin"),
    ("X_USER", "admin"),
    ("x-http-method-override", "DELETE"),
    ("x_http_method_override", "DELETE"),
    ("x-http-method", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x-original-url", "/admin"),
    ("x_original_url", "/admin"),
    ("X-Rewrite-URL", "/admin"),
    ("x_rewrite_url", "/admin"),
];

async fn both_envoys(config: &str) -> [(&'static str, Stack); 2] {
    [
        ("the sample", Stack::with(config).start().await.unwrap()),
        ("a naive Envoy", Stack::with(config).naive_envoy().start().await.unwrap()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forged_header_reaches_the_upstream() {
    for (envoy, stack) in both_envoys(&orders()).await {
        for (path, user) in [("/orders/7", Some("alice")), ("/healthz", None)] {
            for (name, value) in FORGED {
                let ask = if user.is_some() { good(&stack, path) } else { Ask::get(path) };
                let reply = stack.ask(&ask.header(name, value)).await.unwrap();
                assert_eq!(reply.status, 200, "{envoy}: {name} on {path}: {}", reply.text());
                check(&reply.echo().unwrap(), user, &format!("{envoy}: {name} on {path}"));
            }
            let ask = if user.is_some() { good(&stack, path) } else { Ask::get(path) };
            let all = FORGED.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
            check(&stack.ask(&all).await.unwrap().echo().unwrap(), user, &format!("{envoy}: all on {path}"));
        }
    }
}

fn check(echo: &Echo, user: Option<&str>, at: &str) {
    assert_eq!(echo.all("x-user"), user.into_iter().collect::<Vec<_>>(), "{at}: {:?}", echo.headers);
    for (name, _) in
        FORGED.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("x-user") && !name.eq_ignore_ascii_case("x_user"))
    {
        assert!(echo.all(name).is_empty(), "{at}: {name} in {:?}", echo.headers);
    }
    assert!(echo.headers.iter().all(|(_, value)| value != "admin" && value != "/admin" && value != "DELETE"), "{at}");
}

/// The path decided on is byte for byte the path forwarded.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_reads_in_two_ways_is_refused() {
    let tricks = [
        "/healthz/../orders/7",
        "/orders/./7",
        "/orders//7",
        "//orders/7",
        "/orders/%37",
        "/%6frders/7",
        "/orders/%2e%2e/healthz",
        "/orders/..%2fhealthz",
        "/orders/a%2Fb",
        "/orders/a%5cb",
        "/orders/a\\b",
        "/orders/7;v=1",
        "/orders/%00",
        "/orders/%ff",
        "/orders/%zz",
        "/orders/%",
        "/healthz;/../orders/7",
    ];
    for (envoy, stack) in both_envoys(&orders()).await {
        let token = stack.issuer.token("alice", "orders:read").unwrap();
        for path in tricks {
            let before = stack.upstream.hits();
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
            );
            let answer = raw(stack.envoy.port(), request.as_bytes()).await.unwrap();
            let normalised_by_envoy = envoy == "the sample" && answer.starts_with("HTTP/1.1 200");
            if normalised_by_envoy {
                // What Envoy brought to normal form has been decided in that form.
                assert!(
                    answer.contains(r#""path":"/orders/7""#) || answer.contains(r#""path":"/healthz""#),
                    "{path}: {answer}"
                );
                continue;
            }
            assert!(answer.starts_with("HTTP/1.1 4"), "{envoy}: {path}: {answer}");
            assert_eq!(stack.upstream.hits(), before, "{envoy}: {path} reached the upstream");
        }
        let normal = stack.ask(&good(&stack, "/orders/a%20b?x=%2F..%2F&y=;")).await.unwrap();
        assert_eq!(normal.echo().unwrap().path, "/orders/a%20b?x=%2F..%2F&y=;", "{envoy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_matched_whole_or_refused() {
    for (envoy, stack) in both_envoys(&orders()).await {
        for host in [
            "api.example.com.evil.example",
            "evil.example",
            "example.com",
            "xapi.example.com",
            "api.example.com@evil.example",
        ] {
            let before = stack.upstream.hits();
            let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let answer = raw(stack.envoy.port(), request.as_bytes()).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 4"), "{envoy}: {host}: {answer}");
            assert_eq!(stack.upstream.hits(), before, "{envoy}: {host}");
        }
    }
}

/// A preflight is answered by the target method's route, and passes only where the route says so (Fetch §3.2.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_passes_only_where_the_route_says_so() {
    let preflight = |path: &str| {
        Ask::get(path)
            .method(http::Method::OPTIONS)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "GET")
    };
    let stack = Stack::with(&orders()).start().await.unwrap();
    assert_eq!(stack.ask(&preflight("/orders/7")).await.unwrap().status, 401);
    let open = orders().replace(
        "authorize: { scopes: [\"orders:read\"] }",
        "authorize: { scopes: [\"orders:read\"] }\n        preflight: pass",
    );
    let stack = Stack::with(&open).start().await.unwrap();
    assert_eq!(stack.ask(&preflight("/orders/7")).await.unwrap().status, 200);
    assert_eq!(stack.ask(&Ask::get("/orders/7")).await.unwrap().status, 401);
    assert_ne!(stack.ask(&Ask::get("/orders/7").method(http::Method::OPTIONS)).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_route_says_changes_on_the_way_and_back() {
    let config = orders().replace(
        "response_headers: { x-served-to: \"{principal.subject}\" }",
        "response_headers: { x-served-to: \"{principal.subject}\" }\n          remove_request_headers: [x-internal]\n          \
         query: { set: { tenant: acme }, remove: [debug] }",
    );
    let stack = Stack::with(&config).start().await.unwrap();
    let ask = good(&stack, "/orders/7?debug=1&page=2").header("x-internal", "1").header("x-kept", "1");
    let reply = stack.ask(&ask).await.unwrap();
    let echo = reply.echo().unwrap();
    assert_eq!(reply.header("x-served-to"), "alice");
    assert!(echo.all("x-internal").is_empty(), "{:?}", echo.headers);
    assert_eq!(echo.all("x-kept"), ["1"]);
    assert!(
        echo.path.starts_with("/orders/7?") && echo.path.contains("page=2") && echo.path.contains("tenant=acme"),
        "{}",
        echo.path
    );
    assert!(!echo.path.contains("debug"), "{}", echo.path);
}
