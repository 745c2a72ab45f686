//! Spans of decisions over OTLP/HTTP: one for the check, one for each stage below it.
//!
//! A decision whose caller sent a `traceparent` follows the caller's sampling; the others are sampled by share. Spans are made
//! from the finished record, batched by the SDK on a thread of its own and dropped when the collector does not keep up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{Request, Response};
use model::{Identity, StepOutcome};
use net::{Client, Plaintext};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, SpanId, TraceFlags, TraceId};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::chain::error_chain;
use crate::config::TracesConfig;
use crate::decision::{DecisionRecord, Outcome, cut, trace_id};

static SPANS: OnceLock<Spans> = OnceLock::new();
static EXPORTED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
/// For one batch, from the first byte to the collector's answer.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// The share of decisions without a parent; none of them costs anything when it is 0.
    share: f64,
}

/// Sends spans from now on.
///
/// # Errors
/// A text, when the exporter cannot be set up.
pub(crate) fn start(config: &TracesConfig, client: Client) -> Result<(), String> {
    let transport = Transport { client, plaintext: config.plaintext, control: Handle::current() };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(transport)
        .with_endpoint(format!("{}/v1/traces", config.endpoint.trim_end_matches('/')))
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| error_chain(&error).to_string())?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample))))
        .with_resource(Resource::builder().with_service_name("gatehouse").with_attribute(version).build())
        .build();
    let tracer = provider.tracer("gatehouse");
    let _first = SPANS.set(Spans { provider, tracer, share: config.sample });
    Ok(())
}

/// Sends what is waiting. Blocks for two seconds at most.
pub(crate) fn stop() {
    if let Some(spans) = SPANS.get()
        && let Err(error) = spans.provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT)
    {
        tracing::warn!(error = %error_chain(&error), "the last spans were not sent");
    }
}

/// Batches sent and lost so far.
pub(crate) fn exported() -> [u64; 2] {
    let [sent, lost] = &EXPORTED;
    [sent.load(Ordering::Relaxed), lost.load(Ordering::Relaxed)]
}

/// Makes the spans of a decision, when it is sampled.
pub(crate) fn record(record: &DecisionRecord<'_>) {
    let Some(spans) = SPANS.get() else { return };
    let parent = record.traceparent.and_then(remote_parent);
    if !parent.as_ref().map_or(spans.share > 0.0, SpanContext::is_sampled) {
        return;
    }
    let context = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
    let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(record.now.as_nanos()).unwrap_or(0));
    let builder = SpanBuilder::from_name("gatehouse check").with_kind(SpanKind::Server).with_start_time(start);
    let mut span = spans.tracer.build_with_context(builder, &context);
    if !span.is_recording() {
        return;
    }
    span.set_attributes(attributes(record));
    if matches!(record.outcome, Outcome::Error | Outcome::ErrorAllowed) {
        span.set_status(Status::error(record.reason.map_or("", |reason| reason.as_str())));
    }
    let below = Context::new().with_remote_span_context(span.span_context().clone());
    let mut at = start;
    for step in &record.trace.steps {
        let builder = SpanBuilder::from_name(step.stage.as_str()).with_kind(SpanKind::Internal).with_start_time(at);
        let mut stage = spans.tracer.build_with_context(builder, &below);
        if let StepOutcome::Stop(reason) = step.outcome {
            stage.set_attribute(KeyValue::new("reason", reason.as_str()));
        }
        at += step.elapsed;
        stage.end_with_timestamp(at);
    }
    span.end_with_timestamp(start + record.trace.elapsed());
}

/// The names are those of the decision log; there is nothing in a span that is not in a line.
fn attributes(record: &DecisionRecord<'_>) -> Vec<KeyValue> {
    let text = |name: &'static str, value: &str| KeyValue::new(name, cut(value).to_owned());
    let mut all = vec![
        text("decision.id", record.decision_id),
        text("request.id", record.request_id),
        KeyValue::new("generation", i64::try_from(record.generation).unwrap_or(i64::MAX)),
        KeyValue::new("outcome", record.outcome.as_str()),
        KeyValue::new("http.response.status_code", i64::from(record.status)),
        text("http.request.method", record.method),
        text("server.address", record.host),
        text("url.path", record.path),
        text("api", record.api),
        text("route", record.route),
    ];
    all.extend(record.reason.map(|reason| KeyValue::new("reason", reason.as_str())));
    all.extend(record.tenant.map(|tenant| text("tenant", tenant)));
    all.extend(record.identity.and_then(Identity::principal).map(|p| text("principal.id", &p.subject)));
    all.extend(record.client_address.map(|address| KeyValue::new("client.address", address.to_string())));
    all
}

/// W3C Trace Context §3.2; `None` where it is not well-formed.
fn remote_parent(traceparent: &str) -> Option<SpanContext> {
    trace_id(traceparent)?;
    let mut parts = traceparent.split('-').skip(1);
    let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
    Some(SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(parent).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::NONE,
    ))
}

/// The project's own client under the exporter. The exporter's thread has no runtime, so exchanges run on the control runtime.
#[derive(Debug)]
struct Transport {
    client: Client,
    plaintext: Plaintext,
    control: Handle,
}

#[async_trait]
impl HttpClient for Transport {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, plaintext) = (self.client.clone(), self.plaintext);
        let exchange = self.control.spawn(async move {
            let (head, body) = request.into_parts();
            let kind = head.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let kind = kind.unwrap_or("application/x-protobuf");
            client.post(&head.uri.to_string(), plaintext, kind, body, EXPORT_TIMEOUT).await
        });
        let [sent, lost] = &EXPORTED;
        match exchange.await? {
            Ok(()) => {
                sent.fetch_add(1, Ordering::Relaxed);
                Ok(Response::new(Bytes::new()))
            }
            Err(error) => {
                lost.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = %error_chain(&error), "spans were not sent");
                Err(error.into())
            }
        }
    }
}
