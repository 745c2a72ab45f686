//! An issuer, a server for its keys, and requests with its tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use authn::{Authenticator, AuthnConfig, KeyObserver, KeyRing, Method, MethodConfig};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{Path, Problems};
use model::{
    Clock as _, Denial, Identity, OwnedRequest, RequestContext, RequestView as _, Scheme, SystemClock, Timestamp, Trace,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// A signing key.
pub(crate) struct Key {
    kid: String,
    pair: Ed25519KeyPair,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Ed25519KeyPair::generate().unwrap() }
    }

    pub(crate) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid })
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": "EdDSA", "kid": self.kid }), claims)
    }

    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

pub(crate) fn set(keys: &[&Key]) -> String {
    json!({ "keys": keys.iter().map(|k| k.jwk()).collect::<Vec<_>>() }).to_string()
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Good claims of `sub`.
pub(crate) fn claims(sub: &str) -> Value {
    json!({ "iss": "https://i.test", "aud": "api", "sub": sub, "exp": now().as_secs() + 3600, "iat": now().as_secs() })
}

pub(crate) fn issuer(jwks: &Value) -> Value {
    json!({ "issuer": "https://i.test", "audiences": ["api"], "algorithms": ["EdDSA"], "jwks": jwks, "min_refresh_interval": "1s" })
}

/// Counts what the ring tells.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) refreshed: AtomicUsize,
    pub(crate) failed: AtomicUsize,
    pub(crate) verified: AtomicUsize,
    pub(crate) cached: AtomicUsize,
}

impl KeyObserver for Seen {
    fn refreshed(&self, _issuer: &str, ok: bool) {
        let count = if ok { &self.refreshed } else { &self.failed };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn validated(&self, _elapsed: Duration, cached: bool) {
        let count = if cached { &self.cached } else { &self.verified };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// What outlives a configuration.
pub(crate) struct Process {
    pub(crate) ring: KeyRing,
    pub(crate) seen: Arc<Seen>,
}

impl Process {
    pub(crate) fn new() -> Self {
        let client = net::Client::new(net::ClientConfig::default()).unwrap();
        let seen = Arc::new(Seen::default());
        let observer: Arc<dyn KeyObserver> = Arc::<Seen>::clone(&seen);
        Self { ring: KeyRing::new(client, Handle::current(), observer), seen }
    }

    /// A configuration with the issuer `corp`, in force.
    pub(crate) fn load(&self, corp: &Value) -> Loaded {
        self.load_all(&json!({ "issuers": { "corp": corp } }), &["corp"])
    }

    pub(crate) fn load_all(&self, authn: &Value, methods: &[&str]) -> Loaded {
        let mut problems = Problems::new();
        let authenticator = self.compile(authn, &mut problems);
        let said: Vec<_> = problems.iter().filter(|p| !p.warning).collect();
        assert!(said.is_empty(), "{said:?}");
        self.ring.retain(&authenticator);
        let methods = methods.iter().map(|name| {
            let method =
                if *name == "anonymous" { MethodConfig::Anonymous } else { MethodConfig::Jwt((*name).to_owned()) };
            authenticator.method(&method, &Path::root(), &mut problems).unwrap()
        });
        let methods = methods.collect();
        Loaded { authenticator, methods }
    }

    pub(crate) fn compile(&self, authn: &Value, problems: &mut Problems) -> Authenticator {
        let config: AuthnConfig = serde_json::from_value(authn.clone()).unwrap();
        config.compile(&Path::root(), problems, &self.ring)
    }

    /// Waits until the keys of every issuer are there.
    pub(crate) async fn loaded(&self) {
        until("the keys are there", || self.ring.status().iter().all(|k| k.loaded_at.is_some())).await;
    }
}

pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "it never came to be that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A configuration in force.
pub(crate) struct Loaded {
    pub(crate) authenticator: Authenticator,
    pub(crate) methods: Vec<Method>,
}

pub(crate) fn bearer(token: &str) -> OwnedRequest {
    OwnedRequest::get("a.test", "/").with_header("authorization", &format!("Bearer {token}"))
}

/// The address of the client in [`Loaded::ask`].
pub(crate) const CLIENT: &str = "192.0.2.1";

pub(crate) fn context<'a>(view: &'a model::request::OwnedView<'a>, client: &str, at: Timestamp) -> RequestContext<'a> {
    RequestContext {
        view,
        headers: view.headers().to_vec(),
        host: "a.test".into(),
        path: "/".into(),
        query: "",
        scheme: Scheme::Https,
        client_address: client.parse().ok(),
        request_id: "r".into(),
        tenant: None,
        now: at,
        deadline: None,
    }
}

impl Loaded {
    pub(crate) async fn ask(&self, request: &OwnedRequest) -> Result<Identity, Denial> {
        self.ask_as(request, CLIENT, now(), None).await
    }

    pub(crate) async fn ask_as(
        &self,
        request: &OwnedRequest,
        client: &str,
        at: Timestamp,
        deadline: Option<Duration>,
    ) -> Result<Identity, Denial> {
        let view = request.view();
        let mut ctx = context(&view, client, at);
        ctx.deadline = deadline.map(|d| Instant::now() + d);
        self.authenticator.authenticate(&self.methods, &ctx, &mut Trace::start(false)).await
    }

    /// The subject of a token.
    pub(crate) async fn subject(&self, token: &str) -> Result<String, Denial> {
        let identity = self.ask(&bearer(token)).await?;
        Ok(identity.principal().unwrap().subject.to_string())
    }

    /// Why a token is refused.
    pub(crate) async fn refusal(&self, token: &str) -> model::Reason {
        self.subject(token).await.unwrap_err().reason
    }
}

/// How the server of a key set behaves.
#[derive(Clone)]
pub(crate) struct Behaviour {
    pub(crate) status: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) etag: Option<String>,
    pub(crate) delay: Duration,
}

/// A server of key sets.
pub(crate) struct KeyServer {
    address: String,
    behaviour: Arc<std::sync::Mutex<Behaviour>>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl KeyServer {
    pub(crate) async fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let behaviour = Behaviour {
            status: "200 OK",
            content_type: "application/json",
            body: body.to_owned(),
            etag: None,
            delay: Duration::ZERO,
        };
        let behaviour = Arc::new(std::sync::Mutex::new(behaviour));
        let requests = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (told, seen) = (Arc::clone(&behaviour), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (told, seen) = (Arc::clone(&told), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut head = vec![0; 8192];
                    let n = stream.read(&mut head).await.unwrap_or(0);
                    let request = String::from_utf8_lossy(&head[..n]).to_ascii_lowercase();
                    seen.lock().unwrap().push(request.clone());
                    let now = told.lock().unwrap().clone();
                    tokio::time::sleep(now.delay).await;
                    let _gone = stream.write_all(now.answer(&request).as_bytes()).await;
                });
            }
        });
        Self { address, behaviour, requests }
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({ "url": self.address })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Behaviour {
    fn answer(&self, request: &str) -> String {
        let etag = self.etag.as_ref().map(|tag| format!("etag: {tag}\r\n")).unwrap_or_default();
        let known = self.etag.as_ref().is_some_and(|tag| request.contains(&format!("if-none-match: {tag}")));
        let (status, body) = if known { ("304 Not Modified", "") } else { (self.status, &*self.body) };
        let length = if known { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let kind = self.content_type;
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{etag}{length}connection: close\r\n\r\n{body}")
    }
}
