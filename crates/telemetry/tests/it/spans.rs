//! Spans as a collector receives them, read with the protocol's own types.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use model::{Identity, Principal, Reason, Stage, StepOutcome, Timestamp, Trace};
use net::{Client, ClientConfig, Plaintext};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use telemetry::{DecisionRecord, Metrics, Outcome, TelemetryConfig, TracesConfig};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn a_sampled_decision_is_a_span_of_its_callers_trace() {
    let (sender, mut received) = unbounded_channel();
    let collector = Router::new().route("/v1/traces", post(receive)).with_state(sender);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, collector).await });
    let traces = TracesConfig { endpoint, plaintext: Plaintext::Refuse, sample: 0.0 };
    let config = TelemetryConfig { traces: Some(traces), ..TelemetryConfig::default() };
    let ended = telemetry::init(&config, Client::new(ClientConfig::default()).unwrap()).unwrap();

    let metrics = Metrics::new();
    decide(&metrics, Some(&format!("00-{TRACE}-{PARENT}-01")));
    // Neither is sampled: by its caller's word, and by a share of 0.
    decide(&metrics, Some(&format!("00-{TRACE}-{PARENT}-00")));
    decide(&metrics, None);
    // Not well-formed: nobody's child.
    decide(&metrics, Some("00-xyz-01"));
    tokio::task::spawn_blocking(move || drop(ended)).await.unwrap();

    let body = tokio::time::timeout(Duration::from_secs(10), received.recv()).await.unwrap().unwrap();
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert!(resource.attributes.iter().any(|a| a.key == "service.name" && format!("{a:?}").contains("gatehouse")));
    let spans: Vec<Span> =
        request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect();
    assert_eq!(spans.len(), 3, "{spans:?}");
    let check = spans.iter().find(|s| s.name == "gatehouse check").unwrap();
    assert_eq!(hex(&check.trace_id), TRACE);
    assert_eq!(hex(&check.parent_span_id), PARENT);
    assert_eq!(text(check, "reason").as_deref(), Some("scope_missing"));
    assert_eq!(text(check, "url.path").as_deref(), Some("/pay"));
    assert_eq!(check.start_time_unix_nano, 1_700_000_000_000_000_000);
    for name in ["route", "authorise"] {
        let stage = spans.iter().find(|s| s.name == name).unwrap();
        assert_eq!(stage.parent_span_id, check.span_id);
        assert!(stage.end_time_unix_nano <= check.end_time_unix_nano);
    }
    assert!(received.try_recv().is_err(), "one batch");
    assert!(metrics.encode().contains("gatehouse_span_exports_total{result=\"sent\"} 1"));
}

async fn receive(State(sender): State<UnboundedSender<Bytes>>, body: Bytes) {
    let _until_the_test_ends = sender.send(body);
}

fn decide(metrics: &Metrics, traceparent: Option<&str>) {
    let mut trace = Trace::start(false);
    trace.end(Stage::Route, StepOutcome::Pass);
    trace.end(Stage::Authorise, StepOutcome::Stop(Reason::ScopeMissing));
    let identity = Identity::Known(Arc::new(Principal { subject: "alice".into(), ..Principal::default() }));
    metrics.record(&DecisionRecord {
        decision_id: "d",
        request_id: "r",
        generation: 1,
        api: "shop",
        route: "shop.pay",
        attributes: None,
        tenant: None,
        method: "POST",
        scheme: "https",
        host: "shop.test",
        path: "/pay",
        client_address: None,
        identity: Some(&identity),
        outcome: Outcome::Deny,
        reason: Some(Reason::ScopeMissing),
        status: 403,
        detail: None,
        trace: &trace,
        policy_cached: None,
        log_allow: false,
        traceparent,
        now: Timestamp::from_secs(1_700_000_000),
    });
}

fn text(span: &Span, key: &str) -> Option<String> {
    let value = span.attributes.iter().find(|a| a.key == key)?.value.as_ref()?.value.as_ref()?;
    if let Value::StringValue(text) = value { Some(text.clone()) } else { None }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
