//! `examples/opa-drop-in`: a deployment for opa-envoy-plugin in which only the program is another.

use std::process::Command;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;
use tests::opa::{Kind, plugin_path};
use tests::upstream::Upstream;
use tests::{Ask, Client, Process, Protocol, envoy_path, free_port, gatehouse_path, now_s, repository};

#[tokio::test(flavor = "multi_thread")]
async fn the_deployment_works_with_gatehouse() {
    deployment(Kind::Default).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real opa-envoy-plugin: cargo xtask diff opa"]
async fn the_deployment_works_with_the_plugin() {
    deployment(Kind::Plugin).await;
}

async fn deployment(kind: Kind) {
    let example = repository().join("examples/opa-drop-in");
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await.unwrap();
    let (grpc, http, port, admin) =
        (free_port().unwrap(), free_port().unwrap(), free_port().unwrap(), free_port().unwrap());
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let envoy = [
        ("port_value: 8001 ", format!("port_value: {admin} ")),
        ("port_value: 8000 ", format!("port_value: {port} ")),
        ("127.0.0.1:9191", format!("127.0.0.1:{grpc}")),
        ("port_value: 8080 ", format!("port_value: {} ", upstream.port())),
        // A busy machine may need longer.
        ("timeout: 0.5s", "timeout: 5s".to_owned()),
    ]
    .iter()
    .fold(read("envoy.yaml"), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    std::fs::write(folder.path().join("envoy.yaml"), envoy).unwrap();
    std::fs::write(folder.path().join("config.yaml"), read("config.yaml")).unwrap();
    std::fs::write(folder.path().join("policy.rego"), read("policy.rego")).unwrap();

    // From here on the two differ in the program alone.
    let mut command = match kind {
        Kind::Plugin => Command::new(plugin_path().unwrap()),
        Kind::Strict | Kind::Default => {
            let mut gatehouse = Command::new(gatehouse_path().unwrap());
            gatehouse.arg("opa");
            gatehouse
        }
    };
    command.current_dir(folder.path()).args(["run", "--server", "--config-file=config.yaml", "--ignore=.*"]);
    command.arg(format!("--addr=localhost:{http}"));
    command.arg(format!("--set=plugins.envoy_ext_authz_grpc.addr=:{grpc}")).arg("policy.rego");
    let mut program = Process::start("opa", &mut command, &folder.path().join("opa.log")).unwrap();
    let healthy = async || {
        let health = Client::new(http, Protocol::Http1).send(&Ask::get("/health?plugins")).await;
        health.is_ok_and(|reply| reply.status == 200)
    };
    program.ready(Duration::from_secs(30), healthy).await.unwrap();
    let mut command = Command::new(envoy_path().unwrap());
    command.current_dir(folder.path()).args([
        "-c",
        "envoy.yaml",
        "--use-dynamic-base-id",
        "--concurrency",
        "1",
        "-l",
        "warn",
    ]);
    let mut envoy = Process::start("envoy", &mut command, &folder.path().join("envoy.log")).unwrap();
    let mut client = Client::new(port, Protocol::Http1);
    let listens = async || client.send(&Ask::get("/people")).await.is_ok();
    envoy.ready(Duration::from_secs(30), listens).await.unwrap();

    let (guest, admin) = (token("alice", "guest"), token("bob", "admin"));
    let person = |name: &str| json!({ "firstname": name, "lastname": "Opa" }).to_string();
    let post = |token: &str, name: &str| {
        Ask::get("/people")
            .method(http::Method::POST)
            .bearer(token)
            .header("content-type", "application/json")
            .body(person(name))
    };
    let forged = format!("{}x", guest);
    for (name, ask, status) in [
        ("a guest reads", Ask::get("/people").bearer(&guest), 200),
        ("an admin reads", Ask::get("/people").bearer(&admin), 200),
        ("a guest adds nobody", post(&guest, "Charlie"), 403),
        ("an admin adds somebody", post(&admin, "Charlie"), 200),
        ("an admin does not add himself", post(&admin, "Bob"), 403),
        ("without a token nobody passes", Ask::get("/people"), 403),
        ("a forged token is none", Ask::get("/people").bearer(&forged), 403),
        ("another path is another thing", Ask::get("/people/1").bearer(&guest), 403),
    ] {
        let reply = client.send(&ask).await.unwrap();
        assert_eq!(reply.status, status, "{name}: {}\n{}", reply.text(), program.log());
    }
    logged(&program).await;
}

async fn logged(program: &Process) {
    // Each decision is in the log, with its input and its result.
    let decisions = || -> Vec<serde_json::Value> {
        let lines = program.log();
        let lines = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|line: &serde_json::Value| line["type"] == "openpolicyagent.org/decision_logs").collect()
    };
    tests::eventually("every decision is in the log", Duration::from_secs(10), async || decisions().len() >= 8)
        .await
        .unwrap();
    for decision in decisions() {
        assert_eq!(decision["path"], "envoy/authz/allow", "{decision}");
        assert!(decision["result"].is_boolean() && decision["decision_id"].is_string(), "{decision}");
        assert!(decision["input"]["attributes"]["request"]["http"]["path"].is_string(), "{decision}");
    }
}

/// A token as the tutorial's: HS256 with the secret of the policy.
fn token(name: &str, role: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (now, subject) = (now_s(), URL_SAFE.encode(name));
    let claims = json!({ "role": role, "sub": subject, "nbf": now - 60, "exp": now + 3600 });
    let head = format!("{}.{}", part(json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), head.as_bytes());
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(tag))
}
