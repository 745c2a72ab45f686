//! Where a request carries its credential, and what is none.

use model::{Identity, OwnedRequest, Reason};
use serde_json::{Value, json};

use crate::harness::{CLIENT, Key, Loaded, Process, claims, context, issuer, now, set};

fn loaded(key: &Key, token: &Value) -> (Process, Loaded, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set(&[key])).unwrap();
    let mut corp = issuer(&json!({ "file": file.path() }));
    corp["token"] = token.clone();
    let process = Process::new();
    let loaded = process.load_all(&json!({ "issuers": { "corp": corp } }), &["corp", "anonymous"]);
    (process, loaded, file)
}

/// What becomes of a request: the subject, nobody, or the reason of its refusal.
async fn outcome(loaded: &Loaded, headers: &[(&str, String)]) -> String {
    let request = headers.iter().fold(OwnedRequest::get("a.test", "/"), |r, (name, value)| r.with_header(name, value));
    match loaded.ask(&request).await {
        Ok(Identity::Known(principal)) => principal.subject.to_string(),
        Ok(Identity::Anonymous) => "anonymous".to_owned(),
        Err(denial) => denial.reason.as_str().to_owned(),
    }
}

#[tokio::test]
async fn authorization_headers() {
    let key = Key::new("k1");
    let (_process, loaded, _file) = loaded(&key, &json!("authorization"));
    let good = key.token(&claims("alice"));
    let malformed = Reason::CredentialMalformed.as_str();
    for (value, want) in [
        ("Bearer @", "alice"),
        ("bearer @", "alice"),
        ("BEARER @", "alice"),
        ("Bearer  @", "alice"),
        ("Bearer @ ", "alice"),
        ("Basic eDp5", "anonymous"),
        ("BearerX @", "anonymous"),
        ("", malformed),
        ("Bearer", malformed),
        ("Bearer ", malformed),
        ("Bearer:@", malformed),
        ("Bearer: @", malformed),
        ("Bearer=@", malformed),
        ("Bearer\t@", malformed),
        (" Bearer @", malformed),
        ("Bearer @ @", malformed),
        ("Bearer @,", malformed),
        ("Bearer @, Bearer @", malformed),
        ("Bearer @,Basic eDp5", malformed),
        ("Basic eDp5, bearer @", malformed),
        ("Bearer \"@\"", malformed),
        ("Bearer @\u{e9}", malformed),
        ("Bearer x", malformed),
    ] {
        let headers = [("authorization", value.replace('@', &good))];
        assert_eq!(outcome(&loaded, &headers).await, want, "{value:?}");
    }
    let twice = [("authorization", format!("Bearer {good}")), ("authorization", "Basic eDp5".to_owned())];
    assert_eq!(outcome(&loaded, &twice).await, malformed);
    let elsewhere = [("x-token", good.clone()), ("cookie", format!("authorization={good}"))];
    assert_eq!(outcome(&loaded, &elsewhere).await, "anonymous");
}

#[tokio::test]
async fn cookies_and_other_headers() {
    let key = Key::new("k1");
    let good = key.token(&claims("alice"));
    let malformed = Reason::CredentialMalformed.as_str();
    let (_process, in_cookie, _file) = loaded(&key, &json!({ "cookie": "session" }));
    for (values, want) in [
        (vec!["session=@"], "alice"),
        (vec!["a=b; session=@; c=d"], "alice"),
        (vec!["a=b;session=@"], "alice"),
        (vec!["session=\"@\""], "alice"),
        (vec!["a=b", "session=@"], "alice"),
        (vec!["Session=@"], "anonymous"),
        (vec!["xsession=@"], "anonymous"),
        (vec!["session="], "anonymous"),
        (vec!["session"], "anonymous"),
        (vec!["session=@; session=@"], malformed),
        (vec!["session=@", "session=x"], malformed),
        (vec!["session=; session=@"], malformed),
        (vec!["session=@x@"], malformed),
    ] {
        let headers: Vec<_> = values.iter().map(|value| ("cookie", value.replace('@', &good))).collect();
        assert_eq!(outcome(&in_cookie, &headers).await, want, "{values:?}");
    }
    let (_process, in_header, _file) = loaded(&key, &json!({ "header": "X-Token" }));
    for (values, want) in [
        (vec!["@"], "alice"),
        (vec![""], malformed),
        (vec!["Bearer @"], malformed),
        (vec!["@,@"], malformed),
        (vec!["@", "@"], malformed),
    ] {
        let headers: Vec<_> = values.iter().map(|value| ("x-token", value.replace('@', &good))).collect();
        assert_eq!(outcome(&in_header, &headers).await, want, "{values:?}");
    }
}

#[tokio::test]
async fn what_could_be_a_credential_is_seen_before_it_is_read() {
    let key = Key::new("k1");
    let (_process, loaded, _file) = loaded(&key, &json!({ "cookie": "session" }));
    for (name, value, want) in [
        ("authorization", "Basic eDp5", true),
        ("authorization", "", true),
        ("cookie", "a=b; session=x", true),
        ("cookie", "session=x; session=y", true),
        ("cookie", "a=b", false),
        ("x-other", "session=x", false),
    ] {
        let request = OwnedRequest::get("a.test", "/").with_header(name, value);
        let view = request.view();
        let ctx = context(&view, CLIENT, now());
        assert_eq!(loaded.authenticator.presents_credential(&loaded.methods, &ctx), want, "{name}: {value}");
    }
}

/// Nothing that a denial carries may hold any part of the credential: it ends in logs.
#[tokio::test]
async fn denials_do_not_repeat_the_credential() {
    let key = Key::new("k1");
    let (_process, loaded, _file) = loaded(&key, &json!("authorization"));
    let mut claims = claims("canary-subject");
    claims["aud"] = json!("canary-audience");
    claims["scope"] = json!({ "canary": 1 });
    let mut tokens = vec![key.token(&claims), "canary.canary.canary".to_owned(), "canary".to_owned()];
    claims["aud"] = json!("api");
    tokens.push(key.token(&claims));
    claims["exp"] = json!("canary");
    tokens.push(key.token(&claims));
    tokens.push(key.token_with(&json!({ "alg": "canary", "kid": "canary" }), &claims));
    tokens.push(key.token_with(&json!({ "alg": "EdDSA", "kid": "canary", "typ": "canary" }), &claims));
    for token in tokens {
        let denial = loaded.subject(&token).await.unwrap_err();
        let said = format!("{denial:?}");
        assert!(!said.contains("canary") && !said.contains(&token), "{said}");
        assert_eq!(denial.challenge.as_ref().and_then(|c| c.error), Some("invalid_token"), "{said}");
    }
}
