use config::{Path, Problems};
use serde_json::json;

use super::{Address, ServerConfig, Service, TrustedAttribute};

fn compile(value: serde_json::Value) -> (Option<super::ServerPlan>, Vec<String>) {
    let config: ServerConfig = serde_json::from_value(value).expect("the shape of a server section");
    let mut problems = Problems::new();
    let plan = config.compile(&Path::root().key("server"), &mut problems);
    let texts = problems
        .iter()
        .map(|p| format!("{}{}: {}", if p.warning { "warning " } else { "" }, p.path, p.message))
        .collect();
    (plan, texts)
}

#[test]
fn local_listeners_need_no_tls() {
    let (plan, problems) = compile(json!({ "listeners": [
        { "address": "unix:/run/gatehouse/envoy.sock", "serves": ["check", "ratelimit"] },
        { "address": "127.0.0.1:9191", "serves": ["check", "reflection"], "trusts": [] },
        { "address": "[::1]:9190", "serves": ["health", "metrics"] },
    ] }));
    assert_eq!(problems, Vec::<String>::new());
    let plan = plan.expect("a plan");
    assert_eq!(plan.listeners[0].address, Address::Unix("/run/gatehouse/envoy.sock".into()));
    assert_eq!(plan.listeners[0].socket.mode, 0o660);
    assert!(plan.listeners[0].trusts.contains(&TrustedAttribute::SourcePrincipal));
    assert!(plan.listeners[1].trusts.is_empty());
    assert!(plan.listeners[2].is_http() && plan.listeners[2].serves.contains(&Service::Metrics));
}

#[test]
fn an_open_port_must_be_wanted() {
    for address in ["0.0.0.0:9191", "10.0.0.1:9191", "[::]:9191"] {
        let (plan, problems) = compile(json!({ "listeners": [{ "address": address, "serves": ["check"] }] }));
        assert!(plan.is_none(), "{address}");
        assert!(problems[0].starts_with("server.listeners[0].address: anybody"), "{problems:?}");
        let accept = json!({ "listeners": [{ "address": address, "serves": ["check"], "plaintext": "accept" }] });
        let (plan, problems) = compile(accept);
        assert!(plan.is_some(), "{address}");
        assert!(problems[0].starts_with("warning server.listeners[0].plaintext"), "{problems:?}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let (plan, problems) = compile(json!({ "max_in_flight": 0, "deadline_reserve": "1m", "listeners": [
        { "address": "nowhere", "serves": [] },
        { "address": "unix:/a", "serves": ["check", "health"], "mode": "9" },
        { "address": "unix:/a", "serves": ["check", "check"] },
        { "address": "127.0.0.1:1", "serves": ["check"], "peer_uids": [0] },
        { "address": "0.0.0.0:2", "serves": ["check"], "tls": {
            "certificate": "/none.pem", "private_key": { "file": "/none" }, "client_ca": "/none", "client_names": ["*.x"] } },
    ] }));
    assert!(plan.is_none());
    let wanted = [
        "server.max_in_flight:",
        "server.deadline_reserve:",
        "server.listeners[0].address:",
        "server.listeners[0].serves:",
        "server.listeners[1].serves:",
        "server.listeners[1].mode:",
        "server.listeners[2].address:",
        "server.listeners[2].serves:",
        "server.listeners[3]:",
        "server.listeners[4].tls.client_names[0]:",
        "server.listeners[4].tls.certificate:",
    ];
    assert_eq!(problems.len(), wanted.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(wanted) {
        assert!(problem.starts_with(start), "{problem} should be about {start}");
    }
}

#[test]
fn a_server_without_listeners_is_a_problem() {
    let (plan, problems) = compile(json!({}));
    assert!(plan.is_none());
    assert_eq!(problems.len(), 1);
}
