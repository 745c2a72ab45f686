//! Bundles: whatever the server does, decisions go on with the last good revision, and never with two at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tests::eventually;
use tests::opa::{ControlServer, Request, Resource, Server, bundle};

const SOON: Duration = Duration::from_secs(10);

/// Policy and data of one revision; the policy says which one it is, and which one the data is of.
fn revision(number: u32) -> Bytes {
    let policy = format!(
        "package envoy.authz\n\nallow := {{\"allowed\": true, \"headers\": {{\"policy\": \"{number}\", \"data\": data.rev.number}}}}\n"
    );
    let manifest = json!({ "revision": number.to_string(), "roots": ["envoy", "rev"] }).to_string();
    let data = json!({ "rev": { "number": number.to_string() } }).to_string();
    bundle(&[(".manifest", &manifest), ("policy.rego", &policy), ("data.json", &data)])
}

fn body(bytes: Bytes, etag: &str) -> Resource {
    Resource::Body { bytes, etag: etag.to_owned() }
}

fn config(server: &ControlServer, bundles: Value) -> Value {
    json!({ "services": { "control": { "url": server.url() } }, "bundles": bundles })
}

fn fast(resource: &str) -> Value {
    json!({ "resource": resource, "polling": { "min_delay_seconds": 1, "max_delay_seconds": 1 } })
}

/// The revision that decides; `None` when nothing is allowed.
async fn decided(server: &Server) -> Option<String> {
    let message = prost::Message::encode_to_vec(&Request::default().message().unwrap());
    let answer = server.caller().await.unwrap().check(&message).await.unwrap();
    let headers = answer.get("ok")?.get("headers")?.as_array()?.clone();
    let value =
        |name: &str| headers.iter().find(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned());
    assert_eq!(value("policy"), value("data"), "two revisions in one decision: {answer}");
    value("policy")
}

async fn becomes(server: &Server, wanted: &str) {
    let what = format!("revision {wanted} decides\n{}", server.log());
    eventually(&what, SOON, async || decided(server).await.as_deref() == Some(wanted)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_decides_and_a_bad_one_does_not() {
    let control = ControlServer::start().await.unwrap();
    let server = Server::with_config(&config(&control, json!({ "authz": fast("b.tar.gz") })), &[], &[]).await.unwrap();
    // Nothing there yet: nothing is allowed, and nobody is told that it is ready.
    assert_eq!(decided(&server).await, None);
    assert!(!server.is_ready().await);
    control.put("b.tar.gz", body(revision(1), "one"));
    becomes(&server, "1").await;
    assert!(server.is_ready().await);
    // The version is told, so nothing is sent twice.
    let asked = control.asked("b.tar.gz");
    eventually("it asks again", SOON, async || control.asked("b.tar.gz") > asked + 1).await.unwrap();
    assert_eq!(server.log().matches("the bundle is active").count(), 1, "{}", server.log());

    let whole = revision(2);
    let broken = bundle(&[("p.rego", "package envoy.authz\n\nallow := {\n")]);
    let outside = bundle(&[(".manifest", r#"{"roots": ["other"]}"#), ("p.rego", "package envoy.authz\n")]);
    let signed = bundle(&[(".signatures.json", "{}"), ("p.rego", "package envoy.authz\n")]);
    for (number, bad) in [
        body(Bytes::from_static(b"<html>Sign in</html>"), "html"),
        body(whole.slice(..whole.len() / 2), "cut"),
        body(broken, "broken"),
        body(outside, "outside"),
        body(signed, "signed"),
        Resource::Status(500),
        Resource::Status(404),
        Resource::Status(302),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = control.asked("b.tar.gz");
        control.put("b.tar.gz", bad);
        eventually("it asks", SOON, async || control.asked("b.tar.gz") > asked + 1).await.unwrap();
        assert_eq!(decided(&server).await.as_deref(), Some("1"), "bad bundle {number}");
    }
    let log = server.log();
    for text in ["no tar.gz archive", "policy.rego", "none of the roots", "the bundle is signed", "answered 500"] {
        assert!(
            log.contains(text) || text == "policy.rego" && log.contains("p.rego:"),
            "{text} is not in the log\n{log}"
        );
    }
    let metrics = server.get("/metrics").await.unwrap().text();
    assert!(metrics.contains(r#"bundle_loaded_counter{name="authz"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"bundle_failed_load_counter{name="authz"}"#), "{metrics}");
    control.put("b.tar.gz", body(whole, "two"));
    becomes(&server, "2").await;
    // Rolled back.
    control.put("b.tar.gz", body(revision(1), "one"));
    becomes(&server, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_decisions_never_stop_and_never_mix() {
    let mut control = ControlServer::start().await.unwrap();
    control.put("b", body(revision(1), "1"));
    let polling = json!({ "resource": "b", "polling": { "min_delay_seconds": 0, "max_delay_seconds": 1 } });
    let server = Server::with_config(&config(&control, json!({ "authz": polling })), &[], &[]).await.unwrap();
    becomes(&server, "1").await;
    let server = Arc::new(server);
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut count = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    assert!(decided(&server).await.is_some(), "a decision was missing");
                    count += 1;
                }
                count
            })
        })
        .collect();
    for number in 2..8 {
        if number == 4 {
            control.down().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            control.up().await.unwrap();
        }
        if number == 6 {
            control.put("b", body(Bytes::from_static(b"corrupted"), "x"));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        control.put("b", body(revision(number), &number.to_string()));
        becomes(&server, &number.to_string()).await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in load {
        assert!(task.await.unwrap() > 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_decides_while_the_server_is_down() {
    let mut control = ControlServer::start().await.unwrap();
    control.put("b", body(revision(7), "7"));
    let mut authz = fast("b");
    authz["persist"] = json!(true);
    let config = config(&control, json!({ "authz": authz }));
    let server = Server::with_config(&config, &[], &[]).await.unwrap();
    becomes(&server, "7").await;
    let kept = server.folder().join(".opa/bundles/authz/bundle.tar.gz");
    eventually("it is kept", SOON, async || kept.is_file()).await.unwrap();
    let folder = server.kill().unwrap();
    control.down().await;
    let server = Server::in_folder(folder, &config, &[], &[]).await.unwrap();
    becomes(&server, "7").await;
    assert!(server.is_ready().await);
    // What is kept and broken is of no use, and no harm.
    let folder = server.terminate().await.unwrap();
    std::fs::write(folder.path().join(".opa/bundles/authz/bundle.tar.gz"), "garbage").unwrap();
    let server = Server::in_folder(folder, &config, &[], &[]).await.unwrap();
    assert_eq!(decided(&server).await, None);
    control.up().await.unwrap();
    becomes(&server, "7").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_bundles_decide_together_or_not_at_all() {
    let control = ControlServer::start().await.unwrap();
    let policy = "package envoy.authz\n\nallow := {\"allowed\": true, \"headers\": {\"policy\": data.rev.number, \"data\": data.rev.number}}\n";
    control.put("policy", body(bundle(&[(".manifest", r#"{"roots": ["envoy"]}"#), ("p.rego", policy)]), "p"));
    let bundles = json!({ "policy": fast("policy"), "facts": fast("facts") });
    let server = Server::with_config(&config(&control, bundles), &[], &[]).await.unwrap();
    eventually("the first came", SOON, async || server.log().contains("waits for the others")).await.unwrap();
    assert!(!server.is_ready().await);
    assert_eq!(decided(&server).await, None);
    let facts = |root: &str, number: u32| {
        let data = json!({ "number": number.to_string() }).to_string();
        let manifest = json!({ "roots": [root] }).to_string();
        bundle(&[(".manifest", &manifest), (&format!("{root}/data.json"), &data)])
    };
    // It says that policies of the other are its own.
    control.put("facts", body(facts("envoy/authz", 1), "bad"));
    eventually("it is refused", SOON, async || server.log().contains("overlap")).await.unwrap();
    assert_eq!(decided(&server).await, None);
    control.put("facts", body(facts("rev", 1), "1"));
    becomes(&server, "1").await;
    assert!(server.is_ready().await);
    control.put("facts", body(facts("rev", 2), "2"));
    becomes(&server, "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_polling_brings_news_at_once() {
    let control = ControlServer::start().await.unwrap();
    let long = |number: u32| Resource::LongPolled { bytes: revision(number), etag: number.to_string() };
    control.put("b", long(1));
    let authz = json!({ "resource": "b", "polling":
        { "min_delay_seconds": 60, "max_delay_seconds": 120, "long_polling_timeout_seconds": 20 } });
    let server = Server::with_config(&config(&control, json!({ "authz": authz })), &[], &[]).await.unwrap();
    becomes(&server, "1").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    control.put("b", long(2));
    becomes(&server, "2").await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(control.asked("b") < 6, "it asks without waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_may_come_from_a_bundle_and_status_is_told() {
    let control = ControlServer::start().await.unwrap();
    let found = |resource: &str| {
        let config = json!({ "bundles": { "authz": fast(resource) }, "status": { "service": "control" },
            "labels": { "region": "west" } });
        bundle(&[("data.json", &json!({ "site": config }).to_string())])
    };
    control.put("bundles/discovery", body(found("first"), "a"));
    control.put("first", body(revision(1), "1"));
    control.put("second", body(revision(2), "2"));
    let config = json!({
        "services": { "control": { "url": control.url() } },
        "discovery": { "service": "control", "decision": "site", "polling": { "min_delay_seconds": 1, "max_delay_seconds": 1 } },
        "labels": { "app": "shop" },
    });
    let server = Server::with_config(&config, &[], &[]).await.unwrap();
    becomes(&server, "1").await;
    let status = async || {
        let posted = control.posted();
        let last = posted.iter().rev().find(|posted| posted.path == "/status")?;
        serde_json::from_slice::<Value>(&last.body).ok()
    };
    eventually("the status says which revision decides", SOON, async || {
        status().await.is_some_and(|status| status["bundles"]["authz"]["active_revision"] == "1")
    })
    .await
    .unwrap();
    let told = status().await.unwrap();
    assert_eq!((&told["labels"]["region"], &told["labels"]["app"]), (&json!("west"), &json!("shop")));
    assert!(told["bundles"]["authz"]["last_successful_activation"].is_string(), "{told}");
    assert_eq!(told["plugins"]["bundle"]["state"], "OK", "{told}");
    // Another configuration: another bundle.
    control.put("bundles/discovery", body(found("second"), "b"));
    becomes(&server, "2").await;
    control.put("second", Resource::Status(503));
    eventually("the status says what is wrong", SOON, async || {
        status().await.is_some_and(|status| status["bundles"]["authz"]["http_code"] == 503)
    })
    .await
    .unwrap();
}

/// What an attacker, or a tool gone wrong, could put into a bundle.
fn hostile() -> Vec<(&'static str, Bytes)> {
    let module = |text: &str| bundle(&[("p.rego", &format!("package envoy.authz\n\nimport rego.v1\n\n{text}"))]);
    let deep =
        |open: &str, close: &str, times: usize| format!("allow := {}1{}\n", open.repeat(times), close.repeat(times));
    let rules: String = (0..60_000).map(|n| format!("r{n} := r{}\n", n + 1)).collect();
    let calls: String = (0..20_000).map(|n| format!("f{n}(x) := f{}(x)\n", n + 1)).collect();
    let data = format!("{{\"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    vec![
        ("nested arrays", module(&deep("[", "]", 100_000))),
        ("nested parentheses", module(&deep("(", ")", 100_000))),
        ("nested comprehensions", module(&format!("allow := {}1{}\n", "[x | x := ".repeat(5_000), "]".repeat(5_000)))),
        (
            "nested comprehensions of a few levels",
            module(&format!("allow := {}1{}\n", "[x | x := ".repeat(60), "]".repeat(60))),
        ),
        ("a long chain of rules", module(&format!("allow := r0\n{rules}"))),
        ("a long chain of functions", module(&format!("allow := f0(1)\n{calls}"))),
        ("a rule that needs itself", module("allow if not deny\ndeny if not allow\n")),
        ("a function that calls itself", module("allow if f(1)\nf(x) := f(x + 1)\n")),
        ("an unknown function", module("allow if made.up(input)\n")),
        ("a long line", module(&format!("allow if {} == 1\n", "1 + ".repeat(200_000) + "1"))),
        ("ten megabytes", module(&format!("allow := \"{}\"\n", "a".repeat(10 << 20)))),
        ("a dash of operators", module(&format!("allow if {}\n", "-".repeat(200_000)))),
        ("unended text", module("allow := \"abc\n")),
        ("bytes", module("allow := \u{0}\u{1}\u{7f}\n")),
        ("deep data", bundle(&[("data.json", &data)])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_policies_end_in_an_error_and_the_last_good_stay() {
    let control = ControlServer::start().await.unwrap();
    control.put("b", body(revision(1), "1"));
    let polling = json!({ "resource": "b", "polling": { "min_delay_seconds": 0, "max_delay_seconds": 1 } });
    let server = Server::with_config(&config(&control, json!({ "authz": polling })), &[], &[]).await.unwrap();
    becomes(&server, "1").await;
    let told = |server: &Server| {
        server.log().matches("the bundle is refused").count() + server.log().matches("cannot be had").count()
    };
    for (number, (name, bad)) in hostile().into_iter().enumerate() {
        let before = told(&server);
        let started = Instant::now();
        control.put("b", body(bad, &format!("bad{number}")));
        let what = format!("{name} is refused\n{}", server.log());
        eventually(&what, Duration::from_secs(60), async || told(&server) > before).await.unwrap();
        assert_eq!(decided(&server).await.as_deref(), Some("1"), "{name}");
        println!("{name}: {:?}", started.elapsed());
        // The same again would be tried again and again.
        control.put("b", body(revision(1), "1"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    control.put("b", body(revision(2), "2"));
    becomes(&server, "2").await;
}
