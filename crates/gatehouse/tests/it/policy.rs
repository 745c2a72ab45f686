//! `gatehouse policy check`.

use std::process::Command;

use serde_json::Value;

const SLOW: &str =
    "package p\n\nallow if time.now_ns() > input.parsed_query.t[0]\n\nallow if f(1) with input as {}\n\nf(_) := true\n";

#[test]
fn the_machine_of_a_rule_and_why_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gatehouse.yaml");
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/p.rego"), SLOW).unwrap();
    std::fs::write(
        &config,
        "apiVersion: gatehouse/v1\nserver: { listeners: [{ address: \"127.0.0.1:9191\", serves: [check] }] }\n\
         policy: { bundles: { main: { path: policies } } }\n\
         apis: [{ name: a, hosts: [a.test], routes: [{ match: { path: / }, authenticate: [anonymous], authorize: { rego: data.p.allow } }] }]\n",
    )
    .unwrap();
    let run = |more: &[&str]| {
        let program = env!("CARGO_BIN_EXE_gatehouse");
        let output = Command::new(program).args(["policy", "check", "-c"]).arg(&config).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run(&[]);
    assert!(text.contains("data.p.allow\n  engine     interpreter, because of"), "{text}");
    assert!(text.contains("p.rego:3: `with`"), "{text}");
    assert!(text.contains("never kept: it can call `time.now_ns`"), "{text}");
    let rules: Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
    assert_eq!(rules[0]["engine"], "interpreter");
    assert_eq!(rules[0]["reads"], serde_json::json!(["input"]));
}
