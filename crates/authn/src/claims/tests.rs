use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::config::ClaimsConfig;

const NOW: i64 = 1_700_000_000;

fn claims(value: &Value) -> Claims {
    value.as_object().cloned().unwrap()
}

fn config(change: impl FnOnce(&mut ClaimsConfig)) -> IssuerConfig {
    let mut config = IssuerConfig { issuer: "https://i.test".to_owned(), ..IssuerConfig::default() };
    change(&mut config.claims);
    config
}

fn map(value: &Value, config: &IssuerConfig) -> Result<Principal, Denial> {
    principal(&claims(value), &"corp".into(), config, Validity { until: NOW, from: 0 })
}

fn texts(list: &[Arc<str>]) -> Vec<&str> {
    list.iter().map(AsRef::as_ref).collect()
}

#[test]
fn times_are_numbers_that_a_calendar_holds() {
    let read = |value: Value| validity(&claims(&value)).ok().map(|v| (v.from, v.until));
    assert_eq!(read(json!({ "exp": 10 })), Some((i64::MIN, 10)));
    assert_eq!(read(json!({ "exp": 10.9, "nbf": 3, "iat": 5 })), Some((5, 10)));
    assert_eq!(read(json!({ "exp": 0 })), Some((i64::MIN, 0)));
    for bad in [
        json!({}),
        json!({ "exp": null }),
        json!({ "exp": "10" }),
        json!({ "exp": -1 }),
        json!({ "exp": 1e300 }),
        json!({ "exp": u64::MAX }),
        json!({ "exp": [10] }),
        json!({ "exp": 10, "nbf": "0" }),
        json!({ "exp": 10, "iat": {} }),
    ] {
        assert_eq!(validity(&claims(&bad)).map_err(|d| d.reason), Err(Reason::ClaimRefused), "{bad}");
    }
}

#[test]
fn the_leeway_is_exact_at_both_ends() {
    let leeway = std::time::Duration::from_secs(60);
    let valid = Validity { until: NOW, from: NOW - 100 };
    for (now, want) in [
        (NOW - 161, Err(Reason::TokenNotYetValid)),
        (NOW - 160, Ok(())),
        (NOW + 59, Ok(())),
        (NOW + 60, Err(Reason::TokenExpired)),
        (NOW + 61, Err(Reason::TokenExpired)),
    ] {
        let checked = valid.check(Timestamp::from_secs(now), leeway).map_err(|d| d.reason);
        assert_eq!(checked, want, "{}", now - NOW);
    }
}

#[test]
fn an_audience_is_one_of_ours() {
    let mut config = config(|_| {});
    config.audiences = vec!["api".to_owned(), "other".to_owned()];
    for (aud, fine) in [
        (json!({ "aud": "api" }), true),
        (json!({ "aud": ["x", "other"] }), true),
        (json!({ "aud": "API" }), false),
        (json!({ "aud": "" }), false),
        (json!({ "aud": [] }), false),
        (json!({ "aud": ["api", 7] }), false),
        (json!({ "aud": { "api": true } }), false),
        (json!({ "aud": null }), false),
        (json!({}), false),
    ] {
        assert_eq!(check_audience(&claims(&aud), &config).is_ok(), fine, "{aud}");
    }
    config.audience = AudienceRule::Any;
    assert!(check_audience(&claims(&json!({})), &config).is_ok());
    assert!(check_audience(&claims(&json!({ "aud": "x" })), &config).is_ok());
    assert!(check_audience(&claims(&json!({ "aud": 7 })), &config).is_err(), "what it is, is still checked");
}

#[test]
fn scopes_and_roles_are_lists_in_either_form() {
    let config = config(|c| c.roles = Some("realm_access.roles".to_owned()));
    let known =
        map(&json!({ "sub": "a", "scope": " x  y ", "realm_access": { "roles": ["r", ""] } }), &config).unwrap();
    assert_eq!((texts(&known.scopes), texts(&known.roles)), (vec!["x", "y"], vec!["r"]));
    let known =
        map(&json!({ "sub": "a", "scope": ["x", "y z"], "realm_access": { "roles": "r s" } }), &config).unwrap();
    assert_eq!((texts(&known.scopes), texts(&known.roles)), (vec!["x", "y z"], vec!["r", "s"]));
    let known = map(&json!({ "sub": "a", "scope": null }), &config).unwrap();
    assert!(known.scopes.is_empty() && known.roles.is_empty());
    for bad in [
        json!({ "sub": "a", "scope": 7 }),
        json!({ "sub": "a", "scope": ["x", 7] }),
        json!({ "sub": "a", "scope": {} }),
    ] {
        assert_eq!(map(&bad, &config).unwrap_err().reason, Reason::ClaimRefused, "{bad}");
    }
}

#[test]
fn paths_reach_into_objects_and_names_may_have_dots() {
    let config = config(|c| {
        c.roles = Some("https://x.test/claims.roles".to_owned());
        c.tenant = Some("https://x.test/tenant".to_owned());
        c.attributes =
            BTreeMap::from([("plan".to_owned(), "a.b.c".to_owned()), ("none".to_owned(), "a.b.d".to_owned())]);
    });
    let token = json!({
        "sub": "a", "https://x.test/tenant": "acme", "https://x.test/claims": { "roles": ["r"] }, "a": { "b": { "c": [1] } },
    });
    let known = map(&token, &config).unwrap();
    assert_eq!((texts(&known.roles), known.tenant.as_deref()), (vec!["r"], Some("acme")));
    assert_eq!(Value::Object(known.attributes), json!({ "plan": [1] }));
}

#[test]
fn a_subject_is_text_and_not_empty() {
    let config = config(|_| {});
    for bad in [json!({}), json!({ "sub": "" }), json!({ "sub": 7 }), json!({ "sub": null }), json!({ "sub": ["a"] })] {
        assert_eq!(map(&bad, &config).unwrap_err().reason, Reason::ClaimRefused, "{bad}");
    }
}

#[test]
fn tenants_are_text_or_absent_never_something_else() {
    let config = config(|c| c.tenant = Some("org".to_owned()));
    assert_eq!(map(&json!({ "sub": "a" }), &config).unwrap().tenant, None);
    assert_eq!(map(&json!({ "sub": "a", "org": "" }), &config).unwrap().tenant, None);
    for bad in [json!(7), json!(["acme"]), json!({ "name": "acme" }), json!(true)] {
        assert_eq!(map(&json!({ "sub": "a", "org": bad }), &config).unwrap_err().reason, Reason::ClaimRefused);
    }
}

#[test]
fn the_client_is_found_and_tells_a_service_from_a_person() {
    let mut config = config(|_| {});
    let known = map(&json!({ "sub": "app", "client_id": "app", "azp": "x" }), &config).unwrap();
    assert_eq!((known.kind, known.client.as_deref()), (PrincipalKind::Service, Some("app")));
    let known = map(&json!({ "sub": "alice", "azp": "app" }), &config).unwrap();
    assert_eq!((known.kind, known.client.as_deref()), (PrincipalKind::User, Some("app")));
    config.claims.client = Some("cid".to_owned());
    assert_eq!(map(&json!({ "sub": "a", "client_id": "x" }), &config).unwrap().client, None);
}

#[test]
fn required_claims_are_there() {
    let mut config = config(|_| {});
    config.required_claims = vec!["jti".to_owned(), "act.sub".to_owned()];
    assert!(map(&json!({ "sub": "a", "jti": "1", "act": { "sub": "b" } }), &config).is_ok());
    for bad in [
        json!({ "sub": "a", "act": { "sub": "b" } }),
        json!({ "sub": "a", "jti": null, "act": { "sub": "b" } }),
        json!({ "sub": "a", "jti": "1", "act": {} }),
    ] {
        assert_eq!(map(&bad, &config).unwrap_err().reason, Reason::ClaimRefused, "{bad}");
    }
}
