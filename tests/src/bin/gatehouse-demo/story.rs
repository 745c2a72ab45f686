//! The requests of the demo.

use http::Method;
use tests::{Ask, Issuer, now_s};

/// One request, and what should come of it.
#[derive(Debug)]
pub(crate) struct Scene {
    /// What it shows.
    pub(crate) title: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The name of a shell variable and the token it holds.
    pub(crate) token: Option<(&'static str, String)>,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) expected: u16,
    /// What the upstream must see of `x-user`; `None` when it is not reached or anonymous.
    pub(crate) user: Option<&'static str>,
}

impl Scene {
    pub(crate) fn ask(&self) -> Ask {
        let mut ask = Ask::get(self.path).method(self.method.clone());
        if let Some((_, token)) = &self.token {
            ask = ask.bearer(token);
        }
        self.headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    }
}

/// All of them, in order.
pub(crate) fn scenes(issuer: &Issuer) -> anyhow::Result<Vec<Scene>> {
    let reader =
        ("ALICE", issuer.sign("rsa-1", issuer.claims("alice").with("scope", "orders:read").with("plan", "free"))?);
    let stranger =
        ("BOB", issuer.sign("ec-1", issuer.claims("bob").with("scope", "invoices:read").with("plan", "pro"))?);
    let clerk =
        ("CAROL", issuer.sign("ec-1", issuer.claims("carol").with("roles", vec!["clerk"]).with("plan", "pro"))?);
    let auditor =
        ("DAVE", issuer.sign("ec-1", issuer.claims("dave").with("roles", vec!["auditor"]).with("plan", "pro"))?);
    let late = ("EXPIRED", issuer.sign("ec-1", issuer.claims("alice").with("exp", now_s() - 3600))?);
    let forged = ("FORGED", issuer.unsigned(issuer.claims("admin").with("scope", "orders:read")));
    let get = |title, path, token: Option<&(&'static str, String)>, expected, user| Scene {
        title,
        method: Method::GET,
        path,
        token: token.cloned(),
        headers: &[],
        expected,
        user,
    };
    let mut forged_header =
        get("a forged identity header never reaches the service", "/orders/7", Some(&reader), 200, Some("alice"));
    forged_header.headers = &[("x-user", "admin"), ("x-original-url", "/admin")];
    let post = |title, token, expected, user| Scene {
        method: Method::POST,
        ..get(title, "/orders", Some(token), expected, user)
    };
    Ok(vec![
        get("this route needs no credential", "/healthz", None, 200, None),
        get("no token", "/orders/7", None, 401, None),
        get("a good token with the scope", "/orders/7", Some(&reader), 200, Some("alice")),
        forged_header,
        get("a good token without the scope", "/orders/7", Some(&stranger), 403, None),
        get("a token that has expired", "/orders/7", Some(&late), 401, None),
        get("a token that nobody signed (alg: none)", "/orders/7", Some(&forged), 401, None),
        get("no such route", "/admin", Some(&reader), 404, None),
        get("a path that programs read differently", "/orders/7;role=admin", Some(&reader), 400, None),
        post("the role has the permission", &clerk, 200, Some("carol")),
        get("Rego: an auditor reads every report", "/reports/alice", Some(&auditor), 200, Some("dave")),
        get("Rego: one reads one's own report", "/reports/alice", Some(&reader), 200, Some("alice")),
        get("tier `free`: the second of three in a minute", "/reports/alice", Some(&reader), 200, Some("alice")),
        get("the third", "/reports/alice", Some(&reader), 200, Some("alice")),
        get("the fourth is one too many", "/reports/alice", Some(&reader), 429, None),
    ])
}
