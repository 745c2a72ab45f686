//! Policies that ask a server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use model::{OwnedRequest, PluginAnswer};
use policy::bundle::Bundle;
use policy::http_send::{HttpSendConfig, HttpSender};
use policy::opa::{Loaded, Outcome, Plugin, PluginOptions};
use serde_json::{Value, json};

#[derive(Default)]
struct Seen {
    count: AtomicUsize,
    headers: Mutex<HeaderMap>,
}

/// A server with what the tests need; gives its address and what it saw.
async fn server() -> (String, Arc<Seen>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let seen = Arc::new(Seen::default());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, seen)
}

async fn answer(
    State(seen): State<Arc<Seen>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(String, String); 2], String) {
    let count = seen.count.fetch_add(1, Ordering::SeqCst) + 1;
    *seen.headers.lock().unwrap() = headers.clone();
    let told = |status: u16, kind: &str, extra: (&str, &str), text: String| {
        let headers = [("content-type".to_owned(), kind.to_owned()), (extra.0.to_owned(), extra.1.to_owned())];
        (StatusCode::from_u16(status).unwrap(), headers, text)
    };
    let none = ("x-none", "");
    match uri.path() {
        "/json" => told(200, "application/json", none, json!({ "role": "admin", "count": count }).to_string()),
        "/yaml" => told(200, "text/yaml", none, "role: admin\n".to_owned()),
        "/text" => told(200, "text/plain", none, r#"{"role": "admin"}"#.to_owned()),
        "/echo" => told(200, "application/json", none, String::from_utf8_lossy(&body).into_owned()),
        "/kept" => {
            told(200, "application/json", ("cache-control", "max-age=60"), json!({ "count": count }).to_string())
        }
        "/gone" => told(404, "text/html", none, "<html></html>".to_owned()),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            told(200, "text/plain", none, String::new())
        }
        "/large" => told(200, "text/plain", none, "x".repeat(3 << 20)),
        "/away" => told(302, "text/plain", ("location", "http://elsewhere.test/"), String::new()),
        "/moved" => told(302, "text/plain", ("location", "/json"), String::new()),
        "/shaky" if count < 3 => told(503, "text/plain", none, String::new()),
        _ => told(200, "text/plain", none, "ok".to_owned()),
    }
}

/// A plugin whose decision holds what `expression` gives.
fn plugin(expression: &str, hosts: &[&str]) -> Plugin {
    let text = format!(
        "package envoy.authz\n\nallow := {{\"allowed\": true, \"body\": json.marshal(said)}}\n\nsaid := {expression}\n"
    );
    let mut loaded = Loaded::default();
    loaded.add_bundle(
        "b",
        &Bundle { policies: vec![("p.rego".to_owned(), text, false)], data: json!({}), ..Bundle::default() },
    );
    let path = ["envoy", "authz", "allow"].map(str::to_owned).to_vec();
    let config =
        HttpSendConfig { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..HttpSendConfig::default() };
    Plugin::compile(&loaded, PluginOptions { path, http: HttpSender::new(&config), ..PluginOptions::default() })
        .unwrap()
}

/// What the expression gave; `None` when the decision is undefined.
async fn said(plugin: &Plugin) -> Option<Value> {
    let request = OwnedRequest::get("a.test", "/");
    let (reply, record) = plugin.check(&request.view(), Instant::now() + Duration::from_millis(800)).await;
    match record.outcome {
        Outcome::Result(result) => Some(serde_json::from_str(result.to_json()["body"].as_str().unwrap()).unwrap()),
        Outcome::Error { .. } => {
            assert!(!matches!(reply.answer, PluginAnswer::Allow(_)));
            None
        }
    }
}

async fn asked(address: &str, path: &str, more: &str, wanted: &str) -> Option<Value> {
    let request = format!("http.send({{\"method\": \"GET\", \"url\": \"http://{address}{path}\"{more}}}){wanted}");
    said(&plugin(&request, &["127.0.0.1"])).await
}

#[tokio::test]
async fn answers_are_what_opa_gives() {
    let (address, _) = server().await;
    assert_eq!(asked(&address, "/json", "", ".body.role").await, Some(json!("admin")));
    assert_eq!(asked(&address, "/yaml", "", ".body.role").await, Some(json!("admin")));
    assert_eq!(asked(&address, "/text", "", ".body").await, Some(json!(null)));
    assert_eq!(asked(&address, "/text", ", \"force_json_decode\": true", ".body.role").await, Some(json!("admin")));
    assert_eq!(asked(&address, "/text", "", ".raw_body").await, Some(json!("{\"role\": \"admin\"}")));
    assert_eq!(asked(&address, "/gone", "", ".status").await, Some(json!("404 Not Found")));
    assert_eq!(asked(&address, "/gone", "", ".status_code").await, Some(json!(404)));
    assert_eq!(asked(&address, "/json", "", ".headers[\"content-type\"][0]").await, Some(json!("application/json")));
    let posted = format!(
        "http.send({{\"method\": \"POST\", \"url\": \"http://{address}/echo\", \"body\": {{\"a\": [1]}}}}).body"
    );
    assert_eq!(said(&plugin(&posted, &["127.0.0.1"])).await, Some(json!({ "a": [1] })));
}

#[tokio::test]
async fn equal_requests_of_one_decision_are_sent_once() {
    let (address, seen) = server().await;
    let send = format!("http.send({{\"method\": \"GET\", \"url\": \"http://{address}/json\"}}).body.count");
    assert_eq!(said(&plugin(&format!("[{send}, {send}]"), &["127.0.0.1"])).await, Some(json!([1, 1])));
    assert_eq!(seen.count.load(Ordering::SeqCst), 1);
    // One after the other, each with what the one before gave.
    let chain = format!(
        "http.send({{\"method\": \"GET\", \"url\": sprintf(\"http://{address}/json?%d\", [http.send({{\"method\": \"GET\", \"url\": \"http://{address}/json\"}}).body.count])}}).body.count"
    );
    assert_eq!(said(&plugin(&chain, &["127.0.0.1"])).await, Some(json!(3)));
    // Without end.
    let many = format!(
        "[c | some n in numbers.range(1, 40); c := http.send({{\"method\": \"GET\", \"url\": sprintf(\"http://{address}/json?%d\", [n])}}).body.count]"
    );
    assert_eq!(said(&plugin(&many, &["127.0.0.1"])).await, None);
    assert!(seen.count.load(Ordering::SeqCst) <= 3 + 16);
}

#[tokio::test]
async fn answers_are_kept_as_they_or_the_policy_say() {
    let (address, seen) = server().await;
    for (path, more, sent) in [
        ("/json", "", 2),
        ("/json", ", \"cache\": true", 2),
        ("/kept", ", \"cache\": true", 1),
        ("/kept", "", 2),
        ("/json", ", \"force_cache\": true, \"force_cache_duration_seconds\": 60", 1),
        ("/json", ", \"force_cache\": true, \"force_cache_duration_seconds\": 0", 2),
    ] {
        let request =
            format!("http.send({{\"method\": \"GET\", \"url\": \"http://{address}{path}\"{more}}}).body.count");
        let plugin = plugin(&request, &["127.0.0.1"]);
        let before = seen.count.load(Ordering::SeqCst);
        for _ in 0..2 {
            assert!(said(&plugin).await.is_some());
        }
        assert_eq!(seen.count.load(Ordering::SeqCst) - before, sent, "{path} {more}");
    }
}

#[tokio::test]
async fn what_fails_is_undefined_or_told() {
    let (address, seen) = server().await;
    let nobody = "127.0.0.1:9";
    for (address, path) in [(address.as_str(), "/slow"), (address.as_str(), "/large"), (nobody, "/")] {
        let started = Instant::now();
        assert_eq!(asked(address, path, "", ".status_code").await, None, "{path}");
        assert_eq!(
            asked(address, path, ", \"raise_error\": false", ".status_code").await,
            if path == "/slow" { None } else { Some(json!(0)) },
            "{path}"
        );
        assert!(started.elapsed() < Duration::from_secs(3), "the deadline of the check ends it");
    }
    let short = asked(&address, "/slow", ", \"raise_error\": false, \"timeout\": \"100ms\"", ".error.code").await;
    assert_eq!(short, Some(json!("eval_http_send_network_error")));
    // Nothing is sent to a host that is not listed, nor followed there.
    let before = seen.count.load(Ordering::SeqCst);
    let request = format!("http.send({{\"method\": \"GET\", \"url\": \"http://{address}/json\"}}).body.role");
    for hosts in [&[][..], &["other.test"], &["127.0.0.1:1"]] {
        assert_eq!(said(&plugin(&request, hosts)).await, None, "{hosts:?}");
    }
    assert_eq!(seen.count.load(Ordering::SeqCst), before);
    assert_eq!(asked(&address, "/moved", "", ".status_code").await, Some(json!(302)));
    assert_eq!(asked(&address, "/moved", ", \"enable_redirect\": true", ".body.role").await, Some(json!("admin")));
    assert_eq!(asked(&address, "/away", ", \"enable_redirect\": true", ".status_code").await, None);
}

#[tokio::test(flavor = "current_thread")]
async fn a_worker_goes_on_while_it_waits() {
    let (address, _) = server().await;
    let slow = plugin(
        &format!("http.send({{\"method\": \"GET\", \"url\": \"http://{address}/slow\"}}).status_code"),
        &["127.0.0.1"],
    );
    let quick = plugin("1", &[]);
    let waiting = said(&slow);
    let working = async {
        let started = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(said(&quick).await, Some(json!(1)));
            tokio::task::yield_now().await;
        }
        started.elapsed()
    };
    let (slow, took) = tokio::join!(waiting, working);
    assert_eq!(slow, None);
    assert!(took < Duration::from_millis(700), "{took:?}");
}
