//! Routes, policies and keys change under load: no request fails, and each answer is of one generation.

use std::time::{Duration, Instant};

use tests::{Ask, Kind, Load, Outcome, Protocol, SigningKey, Stack, eventually, run_load};

use crate::common::{ISSUER, alone};

/// The same text goes to the upstream and to the client: a mixed answer would show two.
fn config(generation: &str) -> String {
    format!(
        r#"{ISSUER}
policy:
  bundles: {{ main: {{ path: policies/ }} }}
apis:
  - name: orders
    hosts: [api.example.com]
    plaintext_credentials: accept
    routes:
      - match: {{ path: "/orders/{{id}}" }}
        authenticate: [{{ jwt: corp }}]
        authorize: {{ scopes: ["orders:read"], rego: data.orders.allow }}
        respond:
          request_headers: {{ x-generation: "{generation}" }}
          response_headers: {{ x-generation: "{generation}" }}
      - match: {{ path: "/only-{generation}/{{id}}" }}
        authenticate: [anonymous]
"#
    )
}

const POLICY: &str = r#"
package orders
default allow := false
allow if input.attributes.request.http.method == "GET"
"#;

async fn reloadable() -> Stack {
    Stack::with(&config("g0")).file("policies/orders.rego", POLICY).start().await.unwrap()
}

fn load(stack: &Stack, seconds: u64) -> Load {
    let token = stack.issuer.token("alice", "orders:read").unwrap();
    Load {
        port: stack.envoy.port(),
        protocol: Protocol::Http2,
        connections: 16,
        per_second: 1_000,
        lasting: Duration::from_secs(seconds),
        requests: vec![Ask::get("/orders/1").bearer(&token)],
    }
}

fn every_answer_is_whole(outcome: &Outcome) {
    assert_eq!(outcome.surprise(&[200]), None);
    for reply in &outcome.replies {
        let echo = reply.echo().unwrap();
        assert_eq!(echo.all("x-generation"), [reply.header("x-generation")], "an answer of two generations");
    }
}

async fn serves(stack: &Stack, generation: &str) {
    let path = format!("/only-{generation}/1");
    let there = async || stack.ask(&Ask::get(&path)).await.is_ok_and(|reply| reply.status == 200);
    eventually(&format!("generation {generation}"), Duration::from_secs(15), there).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_policies_and_keys_change_under_load() {
    let _alone = alone().await;
    let mut stack = reloadable().await;
    let running = tokio::spawn(run_load(load(&stack, 8)));
    let begin = Instant::now();
    let mut generation = 0;
    while begin.elapsed() < Duration::from_millis(6_500) {
        generation += 1;
        let name = format!("g{generation}");
        match generation % 3 {
            0 => stack.replace_file("policies/orders.rego", &format!("{POLICY}\n# {name}\n")).unwrap(),
            1 => {
                stack.issuer.add(SigningKey::generate(&name, Kind::Es256).unwrap());
                stack.jwks.set_keys(stack.issuer.jwks());
            }
            _ => {}
        }
        stack.reconfigure(&config(&name)).unwrap();
        serves(&stack, &name).await;
    }
    let outcome = running.await.unwrap().unwrap();
    every_answer_is_whole(&outcome);
    assert!(generation >= 3, "only {generation} reloads");
    assert!(outcome.replies.len() >= 3_000, "only {} requests in eight seconds", outcome.replies.len());
    let last = stack.issuer.sign("g1", stack.issuer.claims("alice").with("scope", "orders:read")).unwrap();
    assert_eq!(stack.ask(&Ask::get("/orders/1").bearer(&last)).await.unwrap().status, 200, "the key that came later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_reload_under_load_changes_nothing_and_says_why() {
    let _alone = alone().await;
    let stack = reloadable().await;
    let running = tokio::spawn(run_load(load(&stack, 5)));
    let broken = [
        config("b1").replace("authenticate:", "autenticate:"),
        "apis: [".to_owned(),
        config("b2").replace("jwt: corp", "jwt: nobody"),
        config("b3").replace("data.orders.allow", "data.nothing.allow"),
    ];
    for text in &broken {
        stack.reconfigure(text).unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    for (file, text) in [("gatehouse.yaml", ""), ("policies/orders.rego", "package orders\nallow if {")] {
        stack.replace_file(file, text).unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    let outcome = running.await.unwrap().unwrap();
    every_answer_is_whole(&outcome);
    assert!(outcome.replies.iter().all(|reply| reply.header("x-generation") == "g0"));
    let log = stack.gatehouse.log();
    assert!(log.contains("autenticate"), "the log does not name the mistake");
    assert!(stack.gatehouse.metric("gatehouse_config_reloads_total", &["result=\"refused\""]).await.unwrap() >= 1.0);
    assert_eq!(stack.gatehouse.metric("gatehouse_config_last_reload_success", &[]).await.unwrap(), 0.0);
    stack.replace_file("policies/orders.rego", POLICY).unwrap();
    stack.reconfigure(&config("good")).unwrap();
    serves(&stack, "good").await;
}

/// Kubernetes swaps a symbolic link instead of writing the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_symlink_swap_is_seen() {
    let stack = reloadable().await;
    let folder = stack.folder().to_path_buf();
    let first = std::fs::read_to_string(folder.join("gatehouse.yaml")).unwrap();
    for version in ["v1", "v2"] {
        std::fs::create_dir_all(folder.join(version)).unwrap();
        std::fs::write(folder.join(version).join("gatehouse.yaml"), first.replace("g0", version)).unwrap();
    }
    std::os::unix::fs::symlink("v1", folder.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/gatehouse.yaml", folder.join("staged.yaml")).unwrap();
    std::fs::rename(folder.join("staged.yaml"), folder.join("gatehouse.yaml")).unwrap();
    serves(&stack, "v1").await;
    std::os::unix::fs::symlink("v2", folder.join("..data_new")).unwrap();
    std::fs::rename(folder.join("..data_new"), folder.join("..data")).unwrap();
    serves(&stack, "v2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads() {
    let mut stack = reloadable().await;
    stack.reconfigure(&config("hup")).unwrap();
    stack.gatehouse.process().signal("HUP").unwrap();
    serves(&stack, "hup").await;
    stack.gatehouse.process().must_run().unwrap();
}
