//! Bad tokens: each is refused with 401, and says nothing of why to the client.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::json;
use tests::{Ask, Stack, now_s, raw};

use crate::common::{ISSUER, ORDERS, orders, started};

/// One source may fail often here: the failures are what is tested.
fn patient() -> String {
    let issuer = ISSUER.replace("authn:", "authn:\n  failures: { failures: 100000, per: 1m }");
    format!("{issuer}{ORDERS}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_token_is_refused() {
    let stack = Stack::with(&patient()).start().await.unwrap();
    let issuer = &stack.issuer;
    let claims = || issuer.claims("alice").with("scope", "orders:read");
    let signed = |claims| issuer.sign("rsa-1", claims).unwrap();
    let good = signed(claims());
    let tampered = {
        let mut parts: Vec<String> = good.split('.').map(ToOwned::to_owned).collect();
        parts[1] = BASE64URL
            .encode(json!({ "iss": "https://auth.example.com", "sub": "admin", "exp": now_s() + 60 }).to_string());
        parts.join(".")
    };
    let duplicate_claims = {
        let body = format!(
            r#"{{"iss":"https://auth.example.com","aud":"https://api.example.com","sub":"alice","sub":"admin","scope":"orders:read","exp":{}}}"#,
            now_s() + 60
        );
        let header = BASE64URL.encode(r#"{"alg":"RS256","kid":"rsa-1","typ":"JWT"}"#);
        format!("{header}.{}.{}", BASE64URL.encode(body), good.rsplit('.').next().unwrap())
    };
    let bad = [
        ("alg none", issuer.unsigned(claims())),
        ("alg None with a signature", signed(claims().header("alg", "None"))),
        ("HS256 with the public key", issuer.sign_hs256("rsa-1", &issuer.key("rsa-1").unwrap().public_der(), claims())),
        ("HS256 with the key set", issuer.sign_hs256("rsa-1", issuer.jwks().as_bytes(), claims())),
        ("an EC key's kid on an RSA signature", signed(claims().header("kid", "ec-1"))),
        ("RS512 where RS256 signed", signed(claims().header("alg", "RS512"))),
        ("a kid that nobody knows", signed(claims().header("kid", "other"))),
        (
            "no kid at all, wrong issuer",
            signed(claims().header("kid", json!(null)).with("iss", "https://evil.example")),
        ),
        ("crit names what nobody knows", signed(claims().header("crit", json!(["exp2"])).header("exp2", 1))),
        ("crit is empty", signed(claims().header("crit", json!([])))),
        ("typ of another kind of token", signed(claims().header("typ", "dpop+jwt"))),
        (
            "a key of the attacker's in the header",
            signed(claims().header("kid", "x").header("jwk", issuer.key("rsa-1").unwrap().jwk())),
        ),
        (
            "keys at the attacker's address",
            signed(claims().header("kid", "x").header("jku", "http://127.0.0.1:1/jwks")),
        ),
        ("expired beyond the leeway", signed(claims().with("exp", now_s() - 61))),
        ("no exp", signed(claims().with("exp", json!(null)))),
        ("exp is text", signed(claims().with("exp", "tomorrow"))),
        ("not yet valid", signed(claims().with("nbf", now_s() + 120))),
        ("issued in the future", signed(claims().with("iat", now_s() + 120))),
        ("no aud", signed(claims().with("aud", json!(null)))),
        ("another aud", signed(claims().with("aud", "https://other.example.com"))),
        ("no iss", signed(claims().with("iss", json!(null)))),
        ("another iss", signed(claims().with("iss", "https://evil.example"))),
        ("no sub", signed(claims().with("sub", json!(null)))),
        ("other claims under the same signature", tampered),
        ("a claim twice", duplicate_claims),
        ("two parts", good.rsplit_once('.').unwrap().0.to_owned()),
        ("four parts", format!("{good}.x")),
        ("padding", format!("{good}=")),
        ("no token at all", String::new()),
        ("not base64", "a.b.c!".to_owned()),
    ];
    for (what, token) in bad {
        let reply = stack.ask(&Ask::get("/orders/7").bearer(&token)).await.unwrap();
        assert_eq!(reply.status, 401, "{what}: {}", reply.text());
        assert!(
            !reply.text().contains("alice") && !reply.text().contains("kid"),
            "{what} tells too much: {}",
            reply.text()
        );
    }
    assert_eq!(stack.upstream.hits(), 0);
    for kid in ["rsa-1", "ec-1", "ed-1"] {
        let reply = stack.ask(&Ask::get("/orders/7").bearer(&issuer.sign(kid, claims()).unwrap())).await.unwrap();
        assert_eq!(reply.status, 200, "{kid}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_are_no_credential() {
    // Envoy hands headers over one by one; the naive Envoy joins them with a comma.
    for naive in [false, true] {
        let builder = Stack::with(&orders());
        let stack = if naive { builder.naive_envoy() } else { builder }.start().await.unwrap();
        let good = stack.issuer.token("alice", "orders:read").unwrap();
        let other = stack.issuer.token("mallory", "orders:read").unwrap();
        for (first, second) in [(&good, &other), (&good, &good)] {
            let ask = Ask::get("/orders/7").bearer(first).bearer(second);
            assert_eq!(stack.ask(&ask).await.unwrap().status, 401, "naive: {naive}");
        }
        let joined = Ask::get("/orders/7").header("authorization", &format!("Bearer {good}, Bearer {other}"));
        assert_eq!(stack.ask(&joined).await.unwrap().status, 401, "naive: {naive}");
        assert_eq!(stack.upstream.hits(), 0);
        assert_eq!(stack.ask(&Ask::get("/orders/7").bearer(&good)).await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_query_is_no_credential() {
    let stack = started().await;
    let token = stack.issuer.token("alice", "orders:read").unwrap();
    let reply = stack.ask(&Ask::get(&format!("/orders/7?access_token={token}"))).await.unwrap();
    assert_eq!(reply.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_does_not_become_anonymous() {
    let config = orders().replace("authenticate: [anonymous]", "authenticate: [{ jwt: corp }, anonymous]");
    let stack = Stack::with(&config).start().await.unwrap();
    assert_eq!(stack.ask(&Ask::get("/healthz")).await.unwrap().status, 200);
    assert_eq!(stack.ask(&Ask::get("/healthz").bearer("nonsense")).await.unwrap().status, 401);
}

/// RFC 6750 §5.2: a token that travelled in clear text is spent.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_clear_text_is_refused_and_not_logged() {
    let config = orders().replace("plaintext_credentials: accept", "plaintext_credentials: refuse");
    let stack = Stack::with(&config).start().await.unwrap();
    let token = stack.issuer.token("alice", "orders:read").unwrap();
    assert_eq!(stack.ask(&Ask::get("/orders/7").bearer(&token)).await.unwrap().status, 400);
    assert_eq!(stack.ask(&Ask::get("/healthz")).await.unwrap().status, 200);
    assert_eq!(stack.upstream.hits(), 1);
    assert!(!stack.gatehouse.log().contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_host_is_refused() {
    let stack = started().await;
    let answer = raw(stack.envoy.port(), b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(stack.upstream.hits(), 0);
}
