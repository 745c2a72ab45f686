//! A running gateway and a raw gRPC client.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use config::{Path, Problems};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, check_response::HttpResponse};
use gateway::config::Address;
use gateway::wire::rls::{RlsAnswer, RlsCall};
use gateway::{
    Check, Decide, Decided, Dependency, GatewayParts, Probes, Readiness, Reply, RlsFault, ServeError, ServerConfig,
};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::{Allowed, Answer, HeaderEdit, Reason, Refusal};
use prost::Message;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Decides by the path of the request.
pub(crate) struct ByPath;

impl Decide for ByPath {
    async fn check(&self, check: Check<'_>) -> Reply {
        let http = check.view.http();
        match http.path {
            "" => return self.refuse(Reason::MalformedRequest),
            "/panic" => panic!("as asked"),
            "/slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            "/never" => std::future::pending().await,
            "/split" => return allow(HeaderEdit::set("x-user", "a\r\nx-evil: 1")),
            "/deny" => return self.refuse(Reason::PolicyDenied),
            _ => {}
        }
        allow(HeaderEdit::set("x-host", http.host))
    }

    fn refuse(&self, reason: Reason) -> Reply {
        let refusal = Refusal { status: reason.status(), headers: Vec::new(), body: reason.as_str().to_owned() };
        Decided { answer: Answer::Deny(refusal), metadata: Map::new() }.into()
    }

    fn rate_limit(&self, call: &RlsCall<'_>) -> Result<RlsAnswer, RlsFault> {
        match call.domain {
            "" => Err(RlsFault::Invalid("domain must not be empty".to_owned())),
            "lost" => Err(RlsFault::Unavailable),
            "panic" => panic!("as asked"),
            domain => Ok(RlsAnswer { over_limit: domain == "over", ..RlsAnswer::default() }),
        }
    }
}

fn allow(header: HeaderEdit) -> Reply {
    let answer = Answer::Allow(Allowed { headers: vec![header], ..Allowed::default() });
    Decided { answer, metadata: Map::from_iter([("outcome".to_owned(), Value::from("allow"))]) }.into()
}

#[derive(Default)]
pub(crate) struct TestProbes {
    pub(crate) certificates: Mutex<Vec<i64>>,
}

impl Probes for TestProbes {
    fn readiness(&self) -> Readiness {
        let dependency = Dependency { name: "jwks:corp".to_owned(), state: "ok".to_owned(), detail: None };
        Readiness { ready: true, dependencies: vec![dependency] }
    }

    fn metrics(&self) -> String {
        "gatehouse_up 1\n".to_owned()
    }

    fn certificate(&self, _: &str, not_after: i64) {
        self.certificates.lock().unwrap().push(not_after);
    }
}

pub(crate) struct Running {
    pub(crate) addresses: Vec<Address>,
    pub(crate) probes: Arc<TestProbes>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: JoinHandle<Result<(), ServeError>>,
}

/// Starts a gateway from a `server` section.
pub(crate) async fn start(section: Value) -> Running {
    let mut section = section;
    if section.get("drain_notice").is_none() {
        section["drain_notice"] = json!("10ms");
    }
    let config: ServerConfig = serde_json::from_value(section).unwrap();
    let mut problems = Problems::new();
    let plan = config.compile(&Path::root().key("server"), &mut problems);
    let plan = plan.unwrap_or_else(|| panic!("{:?}", problems.iter().collect::<Vec<_>>()));
    let (bound, addresses) = tokio::sync::oneshot::channel();
    let (probes, shutdown) = (Arc::new(TestProbes::default()), CancellationToken::new());
    let parts =
        GatewayParts { plan, decide: Arc::new(ByPath), probes: Arc::<TestProbes>::clone(&probes), bound: Some(bound) };
    let ended = tokio::spawn(gateway::serve(parts, shutdown.clone()));
    Running { addresses: addresses.await.expect("it starts"), probes, shutdown, ended }
}

/// A gateway with `check` and `ratelimit` on a port of its own.
pub(crate) async fn start_tcp(more: Value) -> Running {
    let mut section = json!({ "workers": 2, "listeners": [
        { "address": "127.0.0.1:0", "serves": ["check", "ratelimit", "reflection"] },
    ] });
    for (key, value) in more.as_object().unwrap() {
        section[key] = value.clone();
    }
    start(section).await
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }

    pub(crate) async fn tcp(&self, index: usize) -> TcpStream {
        let Address::Tcp(address) = &self.addresses[index] else { panic!("no TCP listener") };
        TcpStream::connect(address).await.unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::over(self.tcp(0).await).await.unwrap()
    }
}

/// An HTTP/2 connection that sends what a proper client would not.
#[derive(Clone)]
pub(crate) struct Client(hyper::client::conn::http2::SendRequest<Full<Bytes>>);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) grpc_status: String,
    pub(crate) payload: Bytes,
}

impl Client {
    pub(crate) async fn over<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: I) -> hyper::Result<Self> {
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub(crate) async fn unix(path: &std::path::Path) -> hyper::Result<Self> {
        Self::over(UnixStream::connect(path).await.unwrap()).await
    }

    pub(crate) async fn raw(&mut self, path: &str, timeout: &str, body: Bytes) -> hyper::Result<Answered> {
        let request = http::Request::post(format!("http://gatehouse{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", timeout)
            .body(Full::new(body))
            .unwrap();
        let response = self.0.send_request(request).await?;
        let header = response.headers().get("grpc-status").cloned();
        let collected = response.into_body().collect().await?;
        let trailer = collected.trailers().and_then(|t| t.get("grpc-status")).cloned();
        let mut payload = collected.to_bytes();
        let status = header.or(trailer).expect("a grpc-status");
        Ok(Answered {
            grpc_status: status.to_str().unwrap().to_owned(),
            payload: payload.split_off(payload.len().min(5)),
        })
    }

    pub(crate) async fn call(&mut self, path: &str, message: &[u8]) -> Answered {
        self.raw(path, "2S", frame(message)).await.expect("an answer")
    }

    pub(crate) async fn check(&mut self, path: &str) -> CheckResponse {
        read(&self.call(CHECK, &request(path)).await)
    }
}

pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.extend_from_slice(message);
    framed.freeze()
}

pub(crate) fn request(path: &str) -> Vec<u8> {
    let mut message = CheckRequest::default();
    let attributes = message.attributes.get_or_insert_default();
    let http = attributes.request.get_or_insert_default().http.get_or_insert_default();
    (http.method, http.path, http.host) = ("GET".to_owned(), path.to_owned(), "api.test".to_owned());
    message.encode_to_vec()
}

pub(crate) fn read(answered: &Answered) -> CheckResponse {
    assert_eq!(answered.grpc_status, "0");
    CheckResponse::decode(answered.payload.clone()).unwrap()
}

pub(crate) fn allowed(response: &CheckResponse) -> bool {
    let ok = matches!(response.http_response, Some(HttpResponse::OkResponse(_)));
    assert_eq!(ok, response.status.as_ref().is_none_or(|s| s.code == 0));
    ok
}

/// Status and body of a denial.
pub(crate) fn denied(response: &CheckResponse) -> (i32, String) {
    assert!(!allowed(response));
    match &response.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => (denied.status.as_ref().unwrap().code, denied.body.clone()),
        other => panic!("{other:?}"),
    }
}

pub(crate) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
pub(crate) const LIMIT: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
