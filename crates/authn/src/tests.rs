use std::sync::Arc;
use std::time::Duration;

use ::config::{Path, Problems};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use model::{Identity, OwnedRequest, Reason, RequestContext, RequestView, Scheme, Timestamp, Trace};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::{Authenticator, AuthnConfig, KeyObserver, KeyRing, Method, MethodConfig};

const NOW: i64 = 1_700_000_000;

/// An Ed25519 key with its public half as a JWK.
struct Key {
    kid: &'static str,
    private: EncodingKey,
    x: String,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Self {
            kid,
            private: EncodingKey::from_ed_der(pkcs8.as_ref()),
            x: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
        }
    }

    fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.kid })
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_with(&Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::EdDSA) }, claims)
    }

    fn sign_with(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.private).unwrap()
    }

    /// Signs any header and payload, well-formed or not.
    fn sign_raw(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.private, Algorithm::EdDSA).unwrap();
        format!("{signed}.{signature}")
    }
}

fn set(keys: &[&Key]) -> String {
    json!({ "keys": keys.iter().map(|k| k.jwk()).collect::<Vec<_>>() }).to_string()
}

fn claims() -> Value {
    json!({ "iss": "https://i.test", "aud": "api", "sub": "alice", "exp": NOW + 300, "iat": NOW, "scope": "a b", "org": "acme", "realm": { "roles": ["r"] } })
}

fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

struct Nobody;

impl KeyObserver for Nobody {}

struct Rig {
    ring: Arc<KeyRing>,
    authenticator: Authenticator,
    methods: Vec<Method>,
}

fn issuer(jwks: Value) -> Value {
    json!({
        "issuer": "https://i.test", "audiences": ["api", "other"], "algorithms": ["RS256", "EdDSA"], "jwks": jwks,
        "min_refresh_interval": "1s",
        "claims": { "roles": "realm.roles", "tenant": "org", "attributes": { "tier": "plan" } },
    })
}

fn rig(issuers: Value, methods: &[&str]) -> Rig {
    let config: AuthnConfig =
        serde_json::from_value(json!({ "issuers": issuers, "failures": { "failures": 3, "per": "1m" } })).unwrap();
    let client = net::Client::new(net::ClientConfig::default()).unwrap();
    let ring = Arc::new(KeyRing::new(client, Handle::current(), Arc::new(Nobody)));
    let mut problems = Problems::new();
    let authenticator = config.compile(&Path::root(), &mut problems, &ring);
    assert!(problems.is_empty(), "{:?}", problems.iter().collect::<Vec<_>>());
    ring.retain(&authenticator);
    let methods = methods.iter().map(|name| {
        let method = if *name == "anonymous" { MethodConfig::Anonymous } else { MethodConfig::Jwt((*name).to_owned()) };
        authenticator.method(&method, &Path::root(), &mut problems).unwrap()
    });
    let methods = methods.collect();
    Rig { ring, authenticator, methods }
}

/// A rig whose only issuer has its keys in a file.
fn with_file(keys: &[&Key]) -> (Rig, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set(keys)).unwrap();
    (rig(json!({ "corp": issuer(json!({ "file": file.path() })) }), &["corp"]), file)
}

impl Rig {
    async fn ask(&self, request: &OwnedRequest, at: Timestamp) -> Result<Identity, model::Denial> {
        let view = request.view();
        let ctx = RequestContext {
            view: &view,
            headers: view.headers().to_vec(),
            host: "a.test".into(),
            path: "/".into(),
            query: "",
            scheme: Scheme::Https,
            client_address: "9.9.9.9".parse().ok(),
            request_id: "r".into(),
            tenant: None,
            now: at,
            deadline: None,
        };
        self.authenticator.authenticate(&self.methods, &ctx, &mut Trace::start(false)).await
    }

    async fn token(&self, token: &str) -> Result<Identity, model::Denial> {
        self.token_at(token, NOW).await
    }

    async fn token_at(&self, token: &str, secs: i64) -> Result<Identity, model::Denial> {
        // Keys are as old as the machine's clock says; the test's clock is in its past, so they never look stale.
        self.ask(&bearer(&format!("Bearer {token}")), Timestamp::from_secs(secs)).await
    }

    async fn reason(&self, token: &str) -> Reason {
        self.token(token).await.unwrap_err().reason
    }
}

fn bearer(value: &str) -> OwnedRequest {
    OwnedRequest::get("a.test", "/").with_header("authorization", value)
}

#[tokio::test]
async fn a_good_token_is_a_principal() {
    let key = Key::new("k1");
    let (rig, _file) = with_file(&[&key]);
    let identity = rig.token(&key.sign(&but("plan", json!("pro")))).await.unwrap();
    let principal = identity.principal().unwrap();
    assert_eq!((&*principal.subject, principal.tenant.as_deref()), ("alice", Some("acme")));
    assert_eq!(principal.scopes.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b"]);
    assert_eq!(principal.roles.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["r"]);
    assert_eq!(principal.field("tier"), Some("pro"));
    let lower = rig.ask(&bearer(&format!("bearer {}", key.sign(&claims()))), Timestamp::from_secs(NOW)).await;
    assert!(lower.is_ok(), "the scheme has no case");
}

#[tokio::test]
async fn bad_tokens_are_refused_each_for_its_reason() {
    let (key, other) = (Key::new("k1"), Key::new("k1"));
    let (rig, _file) = with_file(&[&key]);
    let header = |alg| Header { kid: Some("k1".to_owned()), ..Header::new(alg) };
    let payload = claims().to_string();
    let cases = [
        (
            "alg none",
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(&payload)),
            Reason::CredentialMalformed,
        ),
        (
            "alg none with a signature",
            key.sign_raw(r#"{"alg":"none","kid":"k1"}"#, &payload),
            Reason::TokenHeaderRefused,
        ),
        (
            "HS256 with the public key as secret",
            jsonwebtoken::encode(&header(Algorithm::HS256), &claims(), &EncodingKey::from_secret(key.x.as_bytes()))
                .unwrap(),
            Reason::TokenHeaderRefused,
        ),
        (
            "RS256 for an Ed25519 key",
            key.sign_raw(r#"{"alg":"RS256","kid":"k1"}"#, &payload),
            Reason::TokenHeaderRefused,
        ),
        ("crit", key.sign_raw(r#"{"alg":"EdDSA","kid":"k1","crit":["exp"]}"#, &payload), Reason::TokenHeaderRefused),
        ("typ", key.sign_raw(r#"{"alg":"EdDSA","kid":"k1","typ":"logout+jwt"}"#, &payload), Reason::TokenHeaderRefused),
        (
            "duplicate header",
            key.sign_raw(r#"{"alg":"EdDSA","alg":"none","kid":"k1"}"#, &payload),
            Reason::CredentialMalformed,
        ),
        (
            "duplicate claim",
            key.sign_raw(r#"{"alg":"EdDSA","kid":"k1"}"#, &payload.replacen('{', r#"{"sub":"root","#, 1)),
            Reason::ClaimRefused,
        ),
        ("encrypted", "a.b.c.d.e".to_owned(), Reason::CredentialMalformed),
        ("signed by somebody else", other.sign(&claims()), Reason::SignatureInvalid),
        ("another issuer", key.sign(&but("iss", json!("https://evil.test"))), Reason::IssuerUnknown),
        ("no audience", key.sign(&without("aud")), Reason::AudienceRefused),
        ("another audience", key.sign(&but("aud", json!(["x", "y"]))), Reason::AudienceRefused),
        ("no end", key.sign(&without("exp")), Reason::ClaimRefused),
        ("an end in text", key.sign(&but("exp", json!("tomorrow"))), Reason::ClaimRefused),
        ("expired by the leeway and a second", key.sign(&but("exp", json!(NOW - 61))), Reason::TokenExpired),
        ("expired by the leeway", key.sign(&but("exp", json!(NOW - 60))), Reason::TokenExpired),
        ("not yet", key.sign(&but("nbf", json!(NOW + 61))), Reason::TokenNotYetValid),
        ("issued in the future", key.sign(&but("iat", json!(NOW + 61))), Reason::TokenNotYetValid),
        ("no subject", key.sign(&without("sub")), Reason::ClaimRefused),
        ("an empty subject", key.sign(&but("sub", json!(""))), Reason::ClaimRefused),
        ("scopes of another kind", key.sign(&but("scope", json!({ "a": 1 }))), Reason::ClaimRefused),
        ("64 KiB", key.sign(&but("pad", json!("x".repeat(64 * 1024)))), Reason::CredentialMalformed),
    ];
    for (name, token, want) in cases {
        // Each case has a fresh budget.
        let fresh = with_file(&[&key]);
        assert_eq!(fresh.0.reason(&token).await, want, "{name}");
    }
    assert!(rig.token(&key.sign(&but("exp", json!(NOW - 59)))).await.is_ok(), "within the leeway");
}

#[tokio::test]
async fn a_credential_that_is_there_decides() {
    let key = Key::new("k1");
    let (good, _file) = with_file(&[&key]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set(&[&key])).unwrap();
    let rig = rig(json!({ "corp": issuer(json!({ "file": file.path() })) }), &["corp", "anonymous"]);
    let token = key.sign(&claims());
    let at = Timestamp::from_secs(NOW);
    let twice = bearer(&format!("Bearer {token}")).with_header("authorization", &format!("Bearer {token}"));
    for (name, request) in [
        ("two headers", twice),
        ("joined by a comma", bearer(&format!("Bearer {token},Bearer {token}"))),
        ("joined after another scheme", bearer(&format!("Basic eDp5,Bearer {token}"))),
        ("no token", bearer("Bearer ")),
        ("only the scheme", bearer("Bearer")),
        ("a tab", bearer(&format!("Bearer\t{token}"))),
        ("nonsense", bearer("Bearer nonsense")),
    ] {
        let denial = rig.ask(&request, at).await.unwrap_err();
        assert_eq!(denial.reason, Reason::CredentialMalformed, "{name}");
        assert!(denial.challenge.is_some(), "{name}");
    }
    assert!(matches!(rig.ask(&OwnedRequest::get("a.test", "/"), at).await, Ok(Identity::Anonymous)));
    let missing = good.ask(&OwnedRequest::get("a.test", "/"), at).await.unwrap_err();
    assert_eq!((missing.reason, missing.challenge.unwrap().error), (Reason::CredentialMissing, None));
    let query = good.ask(&OwnedRequest::get("a.test", &format!("/?access_token={token}")), at).await.unwrap_err();
    assert_eq!(query.reason, Reason::CredentialMissing, "never from the query");
}

#[tokio::test]
async fn a_cached_token_is_checked_again() {
    let (key, next) = (Key::new("k1"), Key::new("k2"));
    let (rig, file) = with_file(&[&key]);
    let token = key.sign(&claims());
    assert!(rig.token(&token).await.is_ok());
    assert!(rig.ring.shared().cache.bytes() > 0);
    assert_eq!(rig.token_at(&token, NOW + 360).await.unwrap_err().reason, Reason::TokenExpired, "an end is an end");
    assert!(rig.token(&format!("{token}x")).await.is_err(), "the whole token counts");
    std::fs::write(file.path(), set(&[&next])).unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(rig.reason(&token).await, Reason::KeyUnknown, "the key is gone, and the token with it");
    assert!(rig.token(&next.sign(&claims())).await.is_ok());
}

#[tokio::test]
async fn bad_signatures_do_not_buy_unlimited_work() {
    let (key, other) = (Key::new("k1"), Key::new("k1"));
    let (rig, _file) = with_file(&[&key]);
    let good = key.sign(&claims());
    assert!(rig.token(&good).await.is_ok());
    for n in 0..3 {
        assert_eq!(rig.reason(&other.sign(&but("jti", json!(n)))).await, Reason::SignatureInvalid);
    }
    let denial = rig.token(&other.sign(&but("jti", json!(9)))).await.unwrap_err();
    assert_eq!(denial.reason, Reason::FailureBudgetSpent);
    assert!(denial.retry_after.unwrap() <= Duration::from_secs(60));
    assert!(rig.token(&good).await.is_ok(), "what was verified before passes");
    assert_eq!(
        rig.token_at(&other.sign(&but("exp", json!(NOW + 900))), NOW + 61).await.unwrap_err().reason,
        Reason::SignatureInvalid
    );
}

#[tokio::test]
async fn the_token_picks_among_the_issuers_of_the_route() {
    let (a, b) = (Key::new("k1"), Key::new("k1"));
    let files = [tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap()];
    std::fs::write(files[0].path(), set(&[&a])).unwrap();
    std::fs::write(files[1].path(), set(&[&b])).unwrap();
    let mut second = issuer(json!({ "file": files[1].path() }));
    second["issuer"] = json!("https://b.test");
    let rig = rig(json!({ "a": issuer(json!({ "file": files[0].path() })), "b": second }), &["a", "b"]);
    let of_b = but("iss", json!("https://b.test"));
    assert_eq!(&*rig.token(&a.sign(&claims())).await.unwrap().principal().unwrap().provider, "a");
    assert_eq!(&*rig.token(&b.sign(&of_b)).await.unwrap().principal().unwrap().provider, "b");
    assert_eq!(rig.reason(&a.sign(&of_b)).await, Reason::SignatureInvalid, "a's key signs nothing for b");
    assert_eq!(rig.reason(&a.sign(&but("iss", json!("https://c.test")))).await, Reason::IssuerUnknown);
}

#[tokio::test]
async fn tokens_come_from_a_header_or_cookie_when_the_issuer_says_so() {
    let key = Key::new("k1");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set(&[&key])).unwrap();
    for (place, name, value) in [("header", "x-token", "@"), ("cookie", "cookie", "a=1; x-token=@; b=2")] {
        let mut config = issuer(json!({ "file": file.path() }));
        config["token"] = Value::Object(Map::from_iter([(place.to_owned(), json!("x-token"))]));
        let rig = rig(json!({ "corp": config }), &["corp"]);
        let at = Timestamp::from_secs(NOW);
        let request = OwnedRequest::get("a.test", "/").with_header(name, &value.replace('@', &key.sign(&claims())));
        assert!(rig.ask(&request, at).await.is_ok(), "{place}");
        assert_eq!(
            rig.ask(&request.clone().with_header(name, value), at).await.unwrap_err().reason,
            Reason::CredentialMalformed,
            "{place} twice"
        );
    }
}

/// A server that answers every request with what it is told at the moment.
async fn server(answer: Arc<std::sync::Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let body = answer.lock().unwrap().clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _request = stream.read(&mut head).await;
                let answer =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _gone = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}/jwks.json")
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_kept_while_the_server_talks_nonsense_and_rotate_when_it_recovers() {
    let (key, next) = (Key::new("k1"), Key::new("k2"));
    let answer = Arc::new(std::sync::Mutex::new("<html>soon</html>".to_owned()));
    let url = server(Arc::clone(&answer)).await;
    let rig = rig(json!({ "corp": issuer(json!({ "url": url })) }), &["corp"]);
    assert_eq!(rig.reason(&key.sign(&claims())).await, Reason::KeysUnavailable, "no keys, nobody passes");
    *answer.lock().unwrap() = set(&[&key]);
    let mut tries = 0;
    while rig.ring.status()[0].loaded_at.is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        tries += 1;
        assert!(tries < 200, "the keys never came: {:?}", rig.ring.status());
    }
    assert!(rig.token(&key.sign(&claims())).await.is_ok());
    for nonsense in ["<html>down</html>".to_owned(), "x".repeat(10 * 1024 * 1024), String::new()] {
        *answer.lock().unwrap() = nonsense;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(rig.reason(&next.sign(&claims())).await, Reason::KeyUnknown);
        assert!(rig.ring.status()[0].last_error.is_some());
        assert!(rig.token(&key.sign(&but("jti", json!(1)))).await.is_ok(), "the last good keys are kept");
        rig.ring.shared().budget.resize(1000, 1000, Duration::from_secs(60));
    }
    *answer.lock().unwrap() = set(&[&next]);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(rig.token(&next.sign(&claims())).await.is_ok(), "an unknown kid brings the new keys");
    assert!(rig.token(&key.sign(&claims())).await.is_err(), "and takes the old ones away");
}

#[tokio::test]
async fn wrong_issuers_are_named_together() {
    let config: AuthnConfig = serde_json::from_value(json!({ "issuers": {
        "empty": {},
        "plain": { "issuer": "i", "audiences": ["a"], "jwks": { "url": "http://remote.test/jwks" } },
        "confused": { "issuer": "i", "audiences": ["a"], "algorithms": ["RS256", "HS256"], "jwks": { "url": "https://i.test/jwks" }, "leeway": "1h" },
    } }))
    .unwrap();
    let client = net::Client::new(net::ClientConfig::default()).unwrap();
    let ring = KeyRing::new(client, Handle::current(), Arc::new(Nobody));
    let mut problems = Problems::new();
    drop(config.compile(&Path::root().key("authn"), &mut problems, &ring));
    let places: Vec<String> = problems.iter().map(|p| p.path.to_string()).collect();
    assert_eq!(
        places,
        [
            "authn.issuers.confused.algorithms",
            "authn.issuers.confused.leeway",
            "authn.issuers.empty.issuer",
            "authn.issuers.empty.audiences",
            "authn.issuers.empty.jwks",
            "authn.issuers.plain.jwks.url",
        ]
    );
    assert!(ring.status().is_empty(), "nothing is fetched for a configuration that is refused");
}
