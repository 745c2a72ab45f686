//! Tokens and key sets: nothing passes that the issuer did not sign.

use std::sync::{Arc, LazyLock};

use authn::{Authenticator, AuthnConfig, IssuerConfig, JwksConfig, KeyObserver, KeyRing, Method, MethodConfig};
use config::{Path, Problems};
use crypto::jose::{self, Algorithm, JwksError};
use model::{Identity, OwnedRequest, RequestContext, RequestView as _, Scheme, Timestamp, Trace};
use tokio::runtime::Runtime;

/// The whole way of a bearer token. RS256 has exactly one signature for a message, so whatever is accepted must be one of
/// the tokens that were signed, byte for byte.
pub(super) fn token(bytes: &[u8]) {
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    if let Ok(jws) = jose::split(token) {
        // Neither may panic, whatever the other says.
        let (_header, _claims) = (jws.header(), jws.claims());
    }
    let verifier = &*VERIFIER;
    if let Some(subject) = verifier.subject(token) {
        assert!(
            verifier.signed.iter().any(|signed| signed == token),
            "accepted as {subject}, but nobody signed {token:?}"
        );
    }
}

/// A key set of anybody: read within its limits, and its keys verify nothing that they did not sign.
pub(super) fn jwks(bytes: &[u8]) {
    match jose::parse_jwks(bytes) {
        Ok(set) => {
            assert!(set.keys.len() <= 100);
            for key in &set.keys {
                for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
                    assert!(!key.verify(algorithm, "a.b", "AAAA"), "{key:?} verified nonsense");
                }
            }
        }
        Err(JwksError::TooLarge | JwksError::Malformed | JwksError::Empty(_)) => {}
    }
}

static VERIFIER: LazyLock<Verifier> = LazyLock::new(Verifier::new);

struct Verifier {
    runtime: Runtime,
    authenticator: Authenticator,
    methods: Vec<Method>,
    /// The good tokens among the seeds.
    signed: Vec<String>,
}

struct Nobody;

impl KeyObserver for Nobody {}

impl Verifier {
    fn new() -> Self {
        crypto::install_default_provider();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = net::Client::new(net::ClientConfig::default()).expect("a client");
        let keys = KeyRing::new(client, runtime.handle().clone(), Arc::new(Nobody));
        let issuer = IssuerConfig {
            issuer: "https://auth.example.com".to_owned(),
            audiences: vec!["https://api.example.com".to_owned()],
            algorithms: vec![Algorithm::RS256],
            jwks: Some(JwksConfig::File(crate::folder().join("keys/jwks.json"))),
            ..IssuerConfig::default()
        };
        let mut config = AuthnConfig::default();
        config.issuers.insert("fuzz".to_owned(), issuer);
        config.failures.failures = u32::MAX;
        let (at, mut problems) = (Path::root(), Problems::new());
        let authenticator = config.compile(&at, &mut problems, &keys);
        let method = authenticator.method(&MethodConfig::Jwt("fuzz".to_owned()), &at, &mut problems);
        let signed = ["good", "no_kid"]
            .map(|name| std::fs::read_to_string(crate::folder().join("seeds/jwt").join(name)).expect("a seed"));
        Self { runtime, authenticator, methods: method.into_iter().collect(), signed: signed.into() }
    }

    /// The subject of an accepted token.
    fn subject(&self, token: &str) -> Option<String> {
        let request =
            OwnedRequest::get("api.example.com", "/").with_header("authorization", &format!("Bearer {token}"));
        let view = request.view();
        let context = RequestContext {
            view: &view,
            headers: view.headers().to_vec(),
            host: "api.example.com".into(),
            path: "/".into(),
            query: "",
            scheme: Scheme::Https,
            client_address: None,
            request_id: "r".into(),
            tenant: None,
            now: Timestamp::from_secs(1_800_000_000),
            deadline: None,
        };
        let mut trace = Trace::start(false);
        let asked = self.authenticator.authenticate(&self.methods, &context, &mut trace);
        match self.runtime.block_on(asked) {
            Ok(Identity::Known(principal)) => Some(principal.subject.to_string()),
            Ok(Identity::Anonymous) => panic!("a token was taken for no credential: {token:?}"),
            Err(_denial) => None,
        }
    }
}
