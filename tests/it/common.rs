//! The configuration that most tests share, and one lock for those that need the machine for themselves.

use tests::{Ask, Stack};
use tokio::sync::{Mutex, MutexGuard};

/// Tests under load run one at a time, so that none fails for another's load.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static LOAD: Mutex<()> = Mutex::const_new(());
    LOAD.lock().await
}

/// The issuer that the stack's tokens are from.
pub(crate) const ISSUER: &str = r#"
authn:
  issuers:
    corp:
      issuer: https://auth.example.com
      audiences: [https://api.example.com]
      algorithms: [RS256, ES256, EdDSA]
      jwks: { url: "@JWKS_URL@" }
      claims: { roles: roles, scopes: scope, attributes: { tier: plan } }
"#;

/// One API with a route for each answer.
pub(crate) const ORDERS: &str = r#"
ratelimit:
  tiers: { tiny: [2/hour] }
apis:
  - name: orders
    hosts: [api.example.com]
    plaintext_credentials: accept
    log: all
    routes:
      - match: { path: /healthz, methods: [GET] }
        authenticate: [anonymous]
      - match: { path: "/orders/{id}", methods: [GET] }
        authenticate: [{ jwt: corp }]
        authorize: { scopes: ["orders:read"] }
        respond:
          request_headers: { x-user: "{principal.subject}" }
          response_headers: { x-served-to: "{principal.subject}" }
      - match: { path: "/orders.Orders/{method}", methods: [POST] }
        authenticate: [{ jwt: corp }]
        authorize: { scopes: ["orders:read"] }
        respond: { request_headers: { x-user: "{principal.subject}" } }
      - match: { path: "/scarce/{id}" }
        authenticate: [{ jwt: corp }]
        limit: { tier: tiny, per: principal, algorithm: fixed_window }
"#;

/// The shared configuration.
pub(crate) fn orders() -> String {
    format!("{ISSUER}{ORDERS}")
}

/// A running stack with the shared configuration, over a Unix socket.
pub(crate) async fn started() -> Stack {
    Stack::with(&orders()).start().await.unwrap()
}

/// A request with a good token.
pub(crate) fn good(stack: &Stack, path: &str) -> Ask {
    Ask::get(path).bearer(&stack.issuer.token("alice", "orders:read").unwrap())
}
