//! Decision logs: in OPA's form on the console and at a collector, and still there after a kill.

use std::io::Read as _;
use std::time::Duration;

use serde_json::{Value, json};
use tests::eventually;
use tests::opa::{ControlServer, Request, Server};

const SOON: Duration = Duration::from_secs(10);

const POLICY: &str = r#"package envoy.authz

default allow := false
allow := {"allowed": true, "headers": {"x-user": "ann"}} if input.attributes.request.http.method == "GET"
"#;

const LOG_RULES: &str = r#"package system.log

mask contains "/input/attributes/request/http/headers/authorization"
mask contains {"op": "upsert", "path": "/input/attributes/request/http/path", "value": "/hidden"}
mask contains "/labels" if input.input.attributes.request.http.host == "unfit"
drop if input.input.attributes.request.http.host == "health"
"#;

fn config(control: &ControlServer, logs: Value) -> Value {
    let mut logs = logs;
    logs["service"] = json!("control");
    json!({ "services": { "control": { "url": control.url() } }, "labels": { "app": "shop" }, "decision_logs": logs })
}

fn fast() -> Value {
    json!({ "min_delay_seconds": 1, "max_delay_seconds": 1 })
}

async fn start(config: &Value) -> Server {
    Server::with_config(config, &[("policy.rego", POLICY), ("log.rego", LOG_RULES)], &[]).await.unwrap()
}

async fn ask(server: &Server, request: Value) {
    let request: Request = serde_json::from_value(request).unwrap();
    let message = prost::Message::encode_to_vec(&request.message().unwrap());
    server.caller().await.unwrap().check(&message).await.unwrap();
}

/// The events that came to the collector.
fn events(control: &ControlServer) -> Vec<Value> {
    let mut all = Vec::new();
    for posted in control.posted().iter().filter(|posted| posted.path == "/logs") {
        assert_eq!(posted.headers["content-encoding"], "gzip");
        let mut text = String::new();
        flate2::read::GzDecoder::new(&posted.body[..]).read_to_string(&mut text).unwrap();
        all.extend(serde_json::from_str::<Vec<Value>>(&text).unwrap());
    }
    all
}

fn ids(events: &[Value]) -> Vec<String> {
    let id = |event: &Value| event["input"]["attributes"]["request"]["http"]["id"].as_str().unwrap_or("?").to_owned();
    events.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_logged_as_opa_would() {
    let control = ControlServer::start().await.unwrap();
    let server = start(&config(&control, json!({ "console": true, "reporting": fast() }))).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    ask(
        &server,
        json!({ "id": "1", "method": "GET", "path": "/a?q=1", "host": "h",
        "headers": { "authorization": "s3cret", "traceparent": trace } }),
    )
    .await;
    ask(&server, json!({ "id": "2", "method": "PUT", "path": "/%zz", "host": "h" })).await;
    ask(&server, json!({ "id": "3", "method": "GET", "path": "/", "host": "health" })).await;
    ask(&server, json!({ "id": "4", "method": "GET", "path": "/", "host": "unfit" })).await;
    ask(&server, json!({ "id": "5", "method": "PUT", "path": "/", "host": "h" })).await;
    eventually("three arrive", SOON, async || events(&control).len() >= 3).await.unwrap();

    let events = events(&control);
    assert_eq!(ids(&events), ["1", "?", "5"]);
    let [first, unparsed, denied] = &events[..] else { panic!("{events:?}") };
    let http = &first["input"]["attributes"]["request"]["http"];
    assert_eq!(http["headers"], json!({ "traceparent": trace }));
    assert_eq!((&http["path"], &first["masked"]), (&json!("/hidden"), &json!(["/input/attributes/request/http/path"])));
    assert_eq!(first["erased"], json!(["/input/attributes/request/http/headers/authorization"]));
    assert_eq!(first["result"], json!({ "allowed": true, "headers": { "x-user": "ann" } }));
    assert_eq!((&first["path"], &first["labels"]["app"]), (&json!("envoy/authz/allow"), &json!("shop")));
    assert_eq!(first["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(first["input"]["parsed_query"], json!({ "q": ["1"] }));
    assert!(first["labels"]["id"].is_string() && first["labels"]["version"].is_string(), "{first}");
    assert!(first["metrics"]["timer_rego_query_eval_ns"].as_u64().unwrap() > 0, "{first}");
    assert!(first["timestamp"].as_str().unwrap().ends_with('Z'), "{first}");
    assert_eq!(
        (&unparsed["input"], &unparsed["error"]),
        (&Value::Null, &json!({ "message": "invalid URL escape \"%zz\"" }))
    );
    assert_eq!(denied["result"], json!(false));

    let lines: Vec<Value> = server.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["msg"] == "Decision Log").collect();
    assert_eq!(lines.len(), 3, "{}", server.log());
    assert_eq!(lines[0]["decision_id"], first["decision_id"]);
    assert_eq!(lines[0]["type"], "openpolicyagent.org/decision_logs");
    assert!(!server.log().contains("s3cret"));

    let metrics = server.get("/metrics").await.unwrap();
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    for line in [
        "gatehouse_decision_log_events_total 3",
        r#"gatehouse_decision_log_dropped_events_total{reason="mask_failed"} 1"#,
        r#"gatehouse_decision_log_dropped_events_total{reason="queue_full"} 0"#,
        "gatehouse_decision_log_pending_bytes 0",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert_eq!(text.matches("# EOF").count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_uploads_what_waits() {
    let control = ControlServer::start().await.unwrap();
    // The default delay is minutes.
    let server = start(&config(&control, json!({}))).await;
    for id in 0..20 {
        ask(&server, json!({ "id": id.to_string(), "method": "GET", "path": "/" })).await;
    }
    assert!(events(&control).is_empty());
    server.terminate().await.unwrap();
    assert_eq!(ids(&events(&control)), (0..20).map(|id| id.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_lost_collector_nor_a_kill_loses_decisions() {
    let mut control = ControlServer::start().await.unwrap();
    control.refuse_posts(Some(503));
    let config = config(&control, json!({ "reporting": fast() }));
    let files = [("policy.rego", POLICY), ("log.rego", LOG_RULES)];
    let server = Server::with_config(&config, &files, &[]).await.unwrap();
    for id in 0..10 {
        ask(&server, json!({ "id": id.to_string(), "method": "GET", "path": "/" })).await;
    }
    eventually("it fails", SOON, async || server.log().contains("upload failed")).await.unwrap();
    control.down().await;
    for id in 10..20 {
        ask(&server, json!({ "id": id.to_string(), "method": "GET", "path": "/" })).await;
    }
    let spool = server.folder().join(".opa/decision_logs");
    let waits = async || {
        let files = std::fs::read_dir(&spool).unwrap().map(|file| file.unwrap());
        files.filter(|file| file.file_name().to_string_lossy().ends_with(".json.gz")).count() > 0
    };
    eventually("they are on disk", SOON, waits).await.unwrap();
    // The last of them may still be on their way to the journal.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let folder = server.kill().unwrap();
    control.up().await.unwrap();
    control.refuse_posts(None);
    let _server = Server::in_folder(folder, &config, &files, &[]).await.unwrap();
    eventually("all arrive", SOON, async || events(&control).len() >= 20).await.unwrap();
    assert_eq!(ids(&events(&control)), (0..20).map(|id| id.to_string()).collect::<Vec<_>>());
}
