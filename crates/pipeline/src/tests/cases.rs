use std::sync::Arc;
use std::time::Duration;

use model::{Answer, OwnedRequest};
use serde_json::{Value, json};

use super::rig::{LostStore, Rig, build, refusal, value};

fn open(route: Value) -> Rig {
    with(route, json!({}))
}

fn with(mut route: Value, rest: Value) -> Rig {
    let fields = route.as_object_mut().unwrap();
    fields.entry("authenticate").or_insert_with(|| json!(["anonymous"]));
    fields.entry("match").or_insert_with(|| json!({ "path": "/**" }));
    build(&json!([{ "name": "api", "hosts": ["a.test"], "routes": [route] }]), &rest).map_err(|p| p.join("\n")).unwrap()
}

fn get(path: &str) -> OwnedRequest {
    OwnedRequest::get("a.test", path)
}

#[test]
fn a_path_that_is_not_normal_is_refused_or_overwritten() {
    let refuse = open(json!({}));
    for path in [
        "/a/../b",
        "//a",
        "/a;x",
        "/%61",
        "/a%2fb",
        "/a%2Fb",
        "/a\\b",
        "/a%5Cb",
        "/a%00",
        "/a%FF",
        "/a b",
        "/a#b",
        "a",
        "/%zz",
        "/a/%2e%2E/b",
    ] {
        assert_eq!(refuse.outcome(&get(path)), "path_refused", "{path}");
    }
    assert_eq!(
        refuse.outcome(&get("/a/b?x=../../%2F;#".trim_end_matches('#'))),
        "allow",
        "the query is the upstream's"
    );
    let overwrite = open(json!({ "path": { "when_not_normal": "overwrite" } }));
    let Answer::Allow(allowed) = overwrite.check(&get("/a/../b?q=%2e&&x")).answer else { panic!("refused") };
    assert_eq!(value(&allowed.headers, ":path"), Some("/b?q=%2e&&x"));
    assert_eq!(overwrite.outcome(&get("/a%2Fb")), "path_refused");
    let slashes = open(json!({ "path": { "allow": ["encoded_slash"] } }));
    let Answer::Allow(allowed) = slashes.check(&get("/a%2Fb")).answer else { panic!("refused") };
    assert_eq!(value(&allowed.headers, ":path"), None, "what was normal is forwarded as it came");
}

#[test]
fn no_host_no_route_no_method() {
    let rig = open(json!({ "match": { "path": "/a", "methods": ["GET"] } }));
    assert_eq!(rig.outcome(&get("/b")), "no_route");
    assert_eq!(rig.outcome(&get("/a").with_method("POST")), "no_route");
    assert_eq!(rig.outcome(&OwnedRequest::get("b.test", "/a")), "no_route");
    assert_eq!(rig.outcome(&OwnedRequest::get("u@a.test", "/a")), "host_refused");
    assert_eq!(rig.outcome(&OwnedRequest::get("", "/a")), "host_refused");
    assert_eq!(rig.outcome(&get("")), "malformed_request");
    assert_eq!(rig.outcome(&OwnedRequest::get("A.TEST.:8443", "/a")), "allow");
}

#[test]
fn forged_headers_never_reach_the_upstream() {
    let rig =
        open(json!({ "respond": { "request_headers": { "x-user": "{principal.subject}", "x-host": "{host}" } } }));
    let request = get("/")
        .with_header("x-user", "admin")
        .with_header("x_user", "admin")
        .with_header("x-host", "evil")
        .with_header("x-http-method-override", "DELETE")
        .with_header("x-original-url", "/admin")
        .with_header("x-gatehouse-anything", "1")
        .with_header("accept", "*/*");
    let Answer::Allow(allowed) = rig.check(&request).answer else { panic!("refused") };
    // Nobody is known, so there is no subject: the header is removed, not passed on.
    assert_eq!(
        allowed.headers_to_remove,
        ["x-gatehouse-anything", "x-http-method-override", "x-original-url", "x-user", "x_user"]
    );
    assert_eq!(value(&allowed.headers, "x-host"), Some("a.test"), "overwritten");
    assert_eq!(value(&allowed.headers, "x-user"), None);
}

#[test]
fn every_answer_has_a_request_id_and_a_generation() {
    let rig = open(json!({ "match": { "path": "/a" } }));
    let allowed = rig.check(&get("/a").with_header("x-request-id", "abc-1"));
    let Answer::Allow(changes) = &allowed.answer else { panic!("refused") };
    assert_eq!(value(&changes.headers, "x-request-id"), Some("abc-1"));
    assert_eq!(value(&changes.response_headers, "x-request-id"), Some("abc-1"));
    assert_eq!(allowed.metadata["generation"], "7");
    assert_eq!(allowed.metadata["outcome"], "allow");
    let denied = rig.check(&get("/b").with_header("x-request-id", "bad id\u{7f}"));
    let id = value(&refusal(&denied).headers, "x-request-id").unwrap();
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(denied.metadata["request_id"], id);
    assert_eq!(denied.metadata["reason"], "no_route");
    assert!(denied.metadata.values().all(Value::is_string));
}

#[test]
fn denials_come_in_the_form_that_the_client_reads() {
    let rig = open(json!({ "match": { "path": "/a" } }));
    let problem = rig.check(&get("/b").with_header("accept", "application/json, text/html"));
    let body: Value = serde_json::from_str(&refusal(&problem).body).unwrap();
    assert_eq!((body["status"].as_u64(), body["reason"].as_str()), (Some(404), Some("no_route")));
    assert_eq!(value(&refusal(&problem).headers, "content-type"), Some("application/problem+json"));
    let page = rig.check(&get("/b").with_header("accept", "text/html,application/xhtml+xml"));
    assert!(refusal(&page).body.starts_with("<!doctype html>"));
    let grpc = rig.check(&get("/b").with_header("content-type", "application/grpc"));
    assert_eq!(value(&refusal(&grpc).headers, "grpc-status"), Some("12"));
    assert!(refusal(&grpc).body.is_empty());
    assert!(refusal(&rig.check(&get("/b").with_method("HEAD"))).body.is_empty());
}

#[test]
fn limits_are_charged_all_or_nothing() {
    let rig = with(
        json!({ "limit": [{ "rates": ["2/minute", "5/hour"], "per": "client_address", "algorithm": "fixed_window" }] }),
        json!({}),
    );
    assert_eq!(rig.outcome(&get("/")), "allow");
    assert_eq!(rig.outcome(&get("/")), "allow");
    for _ in 0..10 {
        assert_eq!(rig.outcome(&get("/")), "rate_limited");
    }
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(rig.outcome(&get("/")), "allow", "what was refused drained nothing of the hour");
    let other = OwnedRequest { source_address: "9.9.9.9".to_owned(), ..get("/") };
    assert_eq!(rig.outcome(&other), "allow", "another client has its own");
    let checked = rig.check(&other);
    let Answer::Allow(allowed) = checked.answer else { panic!("refused") };
    assert_eq!(value(&allowed.response_headers, "ratelimit-policy"), Some("\"api.0/limit0\";q=2;w=60"));
    let denied = rig.check(&other);
    assert!(value(&refusal(&denied).headers, "retry-after").unwrap().parse::<u64>().unwrap() <= 60);
}

#[test]
fn a_missing_key_is_never_a_shared_bucket() {
    let deny = open(json!({ "limit": { "rates": ["1/minute"], "per": "principal" } }));
    assert_eq!(deny.outcome(&get("/")), "limit_key_missing");
    let address = open(json!({ "limit": { "rates": ["1/minute"], "per": "principal", "missing": "address" } }));
    assert_eq!(address.outcome(&get("/")), "allow");
    assert_eq!(address.outcome(&get("/")), "rate_limited");
    assert_eq!(address.outcome(&OwnedRequest { source_address: String::new(), ..get("/") }), "limit_key_missing");
    let tier = with(
        json!({ "limit": { "tier": "{principal.tier}", "per": "client_address" } }),
        json!({ "ratelimit": { "tiers": { "free": ["1/minute"] } } }),
    );
    assert_eq!(tier.outcome(&get("/")), "limit_key_missing");
}

#[test]
fn a_lost_store_is_an_error_unless_the_route_says_otherwise() {
    for (on_error, want) in [("deny", "limit_store_lost"), ("allow", "allow")] {
        let mut rig =
            open(json!({ "on_error": on_error, "limit": { "rates": ["1/minute"], "per": "client_address" } }));
        rig.services.store = Arc::new(LostStore);
        assert_eq!(rig.outcome(&get("/")), want);
        let checked = rig.check(&get("/"));
        assert_eq!(matches!(checked.answer, Answer::Error(_)), on_error == "deny");
        assert_eq!(checked.metadata["reason"], "limit_store_lost");
    }
}

#[test]
fn the_shield_refuses_what_is_too_much() {
    let rig = open(
        json!({ "shield": { "max_headers": 3, "max_header_bytes": "64B", "max_body": "10B", "methods": ["GET", "POST"], "hosts": ["*.test"] } }),
    );
    assert_eq!(rig.outcome(&get("/")), "allow");
    assert_eq!(
        rig.outcome(&get("/").with_header("a", "1").with_header("b", "2").with_header("c", "3").with_header("d", "4")),
        "headers_too_large"
    );
    assert_eq!(rig.outcome(&get("/").with_header("a", &"x".repeat(64))), "headers_too_large");
    assert_eq!(rig.outcome(&get("/").with_header("content-length", "11")), "body_too_large");
    assert_eq!(rig.outcome(&OwnedRequest { body: "x".repeat(11), ..get("/") }), "body_too_large");
    assert_eq!(rig.outcome(&get("/").with_method("PUT")), "method_refused");
    let flood = open(json!({ "shield": { "limit": { "rates": ["1/minute"], "per": "client_address" } } }));
    assert_eq!(flood.outcome(&get("/")), "allow");
    assert_eq!(flood.outcome(&get("/")), "shield_limited");
}

#[test]
fn a_preflight_passes_only_where_the_route_says_so() {
    let preflight = |rig: &Rig| {
        rig.outcome(
            &get("/")
                .with_method("OPTIONS")
                .with_header("origin", "https://b.test")
                .with_header("access-control-request-method", "PUT"),
        )
    };
    let put = json!({ "path": "/", "methods": ["PUT"] });
    assert_eq!(preflight(&open(json!({ "match": put, "preflight": "pass" }))), "allow");
    assert_eq!(
        preflight(&open(json!({ "match": put }))),
        "credential_missing",
        "anonymous is no credential for a preflight"
    );
    assert_eq!(
        preflight(&open(json!({ "match": { "path": "/", "methods": ["GET"] }, "preflight": "pass" }))),
        "no_route"
    );
}

#[test]
fn a_tenant_route_needs_a_known_tenant() {
    let api = |tenant: Value| json!([{ "name": "api", "hosts": ["*.test"], "tenant": tenant, "routes": [{ "match": { "path": "/t/{tenant}" }, "authenticate": ["anonymous"] }] }]);
    let rest = json!({ "tenants": { "acme": { "aliases": ["acme-inc"] } } });
    let rig = build(&api(json!({ "header": "x-tenant" })), &rest).map_err(|p| p.join("\n")).unwrap();
    assert_eq!(rig.outcome(&get("/t/x")), "tenant_unknown");
    assert_eq!(rig.outcome(&get("/t/x").with_header("x-tenant", "other")), "tenant_unknown");
    assert_eq!(rig.check(&get("/t/x").with_header("x-tenant", "acme-inc")).metadata["tenant"], "acme");
    let by_path = build(&api(json!("path")), &rest).map_err(|p| p.join("\n")).unwrap();
    assert_eq!(by_path.outcome(&get("/t/acme")), "allow");
    assert_eq!(by_path.outcome(&get("/t/other")), "tenant_unknown");
    let by_host = build(&api(json!("host")), &rest).map_err(|p| p.join("\n")).unwrap();
    assert_eq!(by_host.outcome(&OwnedRequest::get("acme.test", "/t/x")), "allow");
    assert_eq!(by_host.outcome(&OwnedRequest::get("x.test", "/t/x")), "tenant_unknown");
}

#[test]
fn a_credential_over_clear_text_is_refused() {
    let clear = |request: OwnedRequest| OwnedRequest { scheme: "http".to_owned(), ..request };
    let rig = open(json!({}));
    assert_eq!(rig.outcome(&clear(get("/"))), "allow");
    assert_eq!(rig.outcome(&clear(get("/").with_header("authorization", "Bearer x.y.z"))), "plaintext_credentials");
    let accepting = open(json!({ "plaintext_credentials": "accept" }));
    assert_eq!(accepting.outcome(&clear(get("/").with_header("authorization", "Bearer x.y.z"))), "allow");
}

#[test]
fn roles_and_scopes_need_somebody() {
    for authorize in [json!({ "scopes": ["a"] }), json!({ "any_scope": ["a"] })] {
        let rig = open(json!({ "authorize": authorize }));
        let denied = rig.check(&get("/"));
        assert_eq!(refusal(&denied).status, 403);
        assert_eq!(
            value(&refusal(&denied).headers, "www-authenticate"),
            Some("Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"a\"")
        );
    }
    assert_eq!(open(json!({ "authorize": { "any_role": ["r"] } })).outcome(&get("/")), "role_missing");
    assert_eq!(open(json!({ "authorize": { "roles": ["r"] } })).outcome(&get("/")), "role_missing");
}

#[test]
fn mistakes_are_found_together() {
    let apis = json!([{ "name": "bad name", "routes": [
        { "match": { "path": "a" } },
        { "match": { "path": "/a", "methods": ["get"], "headers": [{ "name": "x" }] }, "authenticate": [{ "jwt": "nobody" }],
          "authorize": { "rego": "data.x.allow", "permissions": ["p"] }, "limit": { "tier": "t" },
          "respond": { "request_headers": { "host": "x", "x": "{nothing}" } } },
        { "match": { "path": "/b" } },
    ] }]);
    let problems = build(&apis, &json!({})).err().unwrap();
    let places: Vec<&str> = problems.iter().filter_map(|p| p.split(": ").next()).collect();
    for place in [
        "apis[0].name",
        "apis[0].hosts",
        "apis[0].routes[0].match.path",
        "apis[0].routes[1].match.methods[0]",
        "apis[0].routes[1].match.headers[0]",
        "apis[0].routes[1].authenticate[0].jwt",
        "apis[0].routes[1].authorize.rego",
        "apis[0].routes[1].authorize.permissions[0]",
        "apis[0].routes[1].limit.tier",
        "apis[0].routes[1].respond.request_headers.host",
        "apis[0].routes[1].respond.request_headers.x",
        "apis[0].routes[2].authenticate",
    ] {
        assert!(places.contains(&place), "{place} is missing in {problems:#?}");
    }
}

#[test]
fn routes_that_could_be_confused_are_refused() {
    let route = json!({ "match": { "path": "/a/{x}" }, "authenticate": ["anonymous"] });
    let problems =
        build(&json!([{ "name": "api", "hosts": ["a.test"], "routes": [route, route] }]), &json!({})).err().unwrap();
    assert!(
        problems[0].contains("apis[0].routes[1].match: could match the same requests to `a.test` as apis[0].routes[0]"),
        "{problems:?}"
    );
}

#[test]
fn values_are_made_of_the_request() {
    let rig = with(
        json!({
            "name": "item",
            "match": { "path": "/t/{tenant}/{id}" },
            "respond": { "request_headers": {
                "x-all": "{api}/{route}/{host}/{method}/{tenant}/{path.id}/{client_address}",
                "x-made": "{api}/{route}/{host}/{method}/{path.id}/{client_address}",
                "x-ids": "{request_id}",
                "x-nobody": "{principal.subject}",
                "x-roles": "{principal.roles}",
                "x-text": "plain",
            } },
        }),
        json!({ "tenants": { "acme": {} } }),
    );
    // Without a principal the two headers that need one are left out, not half-filled; and the client's own never pass.
    let request = get("/t/acme/7").with_header("x-request-id", "r-1").with_header("x-nobody", "admin");
    let Answer::Allow(allowed) = rig.check(&request).answer else { panic!("refused") };
    assert_eq!(value(&allowed.headers, "x-ids"), Some("r-1"));
    assert_eq!(value(&allowed.headers, "x-made"), Some("api/item/a.test/GET/7/127.0.0.1"));
    assert_eq!(value(&allowed.headers, "x-text"), Some("plain"));
    assert_eq!(value(&allowed.headers, "x-nobody"), None);
    assert_eq!(value(&allowed.headers, "x-roles"), None);
    assert!(allowed.headers_to_remove.iter().any(|name| name == "x-nobody"));
    assert_eq!(value(&allowed.headers, "x-all"), None, "no tenant is asked for here");
}

#[test]
fn a_policy_steers_the_limits() {
    let policy = r#"package x

allow := {"allowed": true, "limit": limit}

limit := {"tier": input.parsed_path[1]} if input.parsed_path[0] == "tier"

limit := {"cost": to_number(input.parsed_path[1])} if input.parsed_path[0] == "cost"

limit := {"factor": to_number(input.parsed_path[1])} if input.parsed_path[0] == "factor"

limit := {} if input.parsed_path[0] == "plain"
"#;
    let rest = json!({ "policies": { "all": policy }, "ratelimit": { "tiers": { "free": ["2/minute"], "gold": ["4/minute"] } } });
    let limit =
        |name: &str| json!({ "name": name, "tier": "free", "per": "client_address", "algorithm": "fixed_window" });
    let route = |name: &str| json!({ "authorize": { "rego": "data.x.allow" }, "limit": limit(name) });
    let passes = |rig: &Rig, path: &str| {
        let mut count = 0;
        while count < 20 && rig.outcome(&get(path)) == "allow" {
            count += 1;
        }
        assert_eq!(rig.outcome(&get(path)), "rate_limited", "{path}");
        count
    };
    for (path, want) in
        [("/plain", 2), ("/tier/gold", 4), ("/cost/2", 1), ("/factor/3", 6), ("/factor/0.5", 1), ("/factor/0.001", 1)]
    {
        assert_eq!(passes(&with(route("l"), rest.clone()), path), want, "{path}");
    }
    let rig = with(route("l"), rest.clone());
    assert_eq!(rig.outcome(&get("/tier/platinum")), "tier_unknown");
    assert_eq!(rig.outcome(&get("/cost/-1")), "policy_failed");
    for _ in 0..10 {
        assert_eq!(rig.outcome(&get("/cost/0")), "allow", "it asks without counting");
    }
    // A tier is somebody's account: a route that knows no tiers cannot charge it.
    let mut fixed = route("l");
    fixed["limit"] = json!({ "rates": ["9/minute"], "per": "client_address" });
    assert_eq!(with(fixed, rest.clone()).outcome(&get("/tier/gold")), "tier_unknown");
    assert_eq!(
        with(json!({ "authorize": { "rego": "data.x.allow" } }), rest).outcome(&get("/tier/gold")),
        "tier_unknown"
    );
}

#[test]
fn a_policy_asks_for_a_stronger_authentication() {
    let policy = r#"package x

allow := {"allowed": false, "challenge": {"acr_values": ["urn:mfa"], "max_age": 300}}
"#;
    let rig = with(json!({ "authorize": { "rego": "data.x.allow" } }), json!({ "policies": { "all": policy } }));
    let checked = rig.check(&get("/"));
    let refused = refusal(&checked);
    assert_eq!((refused.status, checked.reason.unwrap().as_str()), (401, "step_up_required"));
    let challenge = value(&refused.headers, "www-authenticate").unwrap();
    let want = r#"Bearer realm="api", error="insufficient_user_authentication", acr_values="urn:mfa", max_age="300""#;
    assert_eq!(challenge, want);
}

#[test]
fn rules_are_chosen_by_the_request_and_isolated_bundles_see_themselves_only() {
    // Both bundles define the same rule: isolated ones do not meet.
    let policy = |path: &str| {
        format!("package x\n\nallow if {{\n\tinput.parsed_path[0] == \"{path}\"\n\tnot data.shared.secret\n}}\n")
    };
    let shared = "package shared\n\nsecret := true\n\nallow if input.parsed_path[0] == \"shared\"\n";
    let policies = json!({ "isolated-a": policy("a"), "isolated-b": policy("b"), "shared": shared });
    let rules = json!({ "a": "isolated-a:data.x.allow", "b": "isolated-b:data.x.allow", "s": "data.shared.allow" });
    let select = |by: &str| json!({ "authorize": { "rego": { "select": by, "rules": rules } } });
    let host = with(select("{context.policy}"), json!({ "policies": policies }));
    let asked = |rig: &Rig, policy: Option<&str>, path: &str| {
        let mut request = get(path);
        if let Some(policy) = policy {
            request.attributes.insert("contextExtensions".to_owned(), json!({ "policy": policy }));
        }
        rig.outcome(&request)
    };
    // Whoever reaches the port can claim any of it: it has to be believed first.
    assert_eq!(asked(&host, Some("a"), "/a"), "policy_undefined");
    let mut believing = host;
    believing.trust.context_extensions = true;
    for (policy, path, want) in [
        (Some("a"), "/a", "allow"),
        (Some("a"), "/b", "policy_undefined"),
        (Some("b"), "/b", "allow"),
        (Some("s"), "/shared", "allow"),
        (Some("c"), "/a", "policy_undefined"),
        (None, "/a", "policy_undefined"),
    ] {
        assert_eq!(asked(&believing, policy, path), want, "{policy:?} {path}");
    }
    let wrong = |rego: Value| {
        let apis = json!([{ "name": "api", "hosts": ["a.test"], "routes": [
            { "match": { "path": "/**" }, "authenticate": ["anonymous"], "authorize": { "rego": rego } }] }]);
        build(&apis, &json!({ "policies": policies })).map(drop).unwrap_err().join("\n")
    };
    assert!(wrong(json!({ "select": "same", "rules": rules })).contains("the same for every request"));
    assert!(wrong(json!("made-up:data.x.allow")).contains("no isolated bundle `made-up`"));
    assert!(wrong(json!("shared:data.shared.allow")).contains("no isolated bundle"));
    assert!(wrong(json!("isolated-a:data.shared.allow")).contains("no policy defines"));
    assert!(wrong(json!("isolated-a:x.allow")).contains("is not a rule"));
}
