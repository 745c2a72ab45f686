//! Each folder of `examples/` is run: its configuration behind a real Envoy, its requests and their answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tests::{Ask, Gatehouse, Reply, Stack};

/// One entry of `requests.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    host: Option<String>,
    /// Claims of the token; none is sent when absent.
    #[serde(default)]
    token: Option<Map<String, Value>>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// How often it is sent; every answer must be as expected.
    #[serde(default = "once")]
    times: usize,
    status: u16,
    /// Headers that the service must see; an empty text means that it must not.
    #[serde(default)]
    upstream: BTreeMap<String, String>,
    /// Headers that the client must see.
    #[serde(default)]
    response: BTreeMap<String, String>,
}

fn get() -> String {
    "GET".to_owned()
}

fn once() -> usize {
    1
}

fn folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(tests::repository().join("examples")).unwrap();
    // What is written for OPA is shown by `opa_drop_in`.
    let ours = |path: &PathBuf| path.is_dir() && !path.ends_with("opa-drop-in");
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(ours).collect();
    folders.sort();
    folders
}

#[test]
fn each_example_is_complete_and_its_configuration_good() {
    assert!(folders().len() >= 4);
    for folder in folders() {
        for file in ["README.md", "gatehouse.yaml", "requests.yaml"] {
            assert!(folder.join(file).is_file(), "{} lacks {file}", folder.display());
        }
        let checked = Gatehouse::run(&["check", "-c", folder.join("gatehouse.yaml").to_str().unwrap()]).unwrap();
        let words = String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "{}:\n{words}", folder.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_example_answers_as_it_says() {
    for folder in folders() {
        run(&folder).await;
    }
}

async fn run(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("gatehouse.yaml")).unwrap();
    let config = [
        ("/run/gatehouse/envoy.sock", "@SOCKET@"),
        ("127.0.0.1:9190", "127.0.0.1:@HTTP_PORT@"),
        ("https://auth.example.com/jwks.json", "@JWKS_URL@"),
    ]
    .into_iter()
    .fold(text, |text, (from, to)| text.replace(from, to));
    let mut builder = Stack::with(&config).own_server_section();
    for (name, text) in files(folder, folder) {
        builder = builder.file(&name, &text);
    }
    let stack = builder.start().await.unwrap();
    let cases = std::fs::read_to_string(folder.join("requests.yaml")).unwrap();
    let cases: Vec<Case> =
        serde_saphyr::from_str(&cases).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for case in &cases {
        for time in 1..=case.times {
            let at = format!("{}: {} (time {time})", folder.display(), case.name);
            check(case, &stack.ask(&ask(&stack, case)).await.unwrap(), &at);
        }
    }
}

fn ask(stack: &Stack, case: &Case) -> Ask {
    let mut ask = Ask::get(&case.path).method(case.method.parse().unwrap());
    if let Some(host) = &case.host {
        ask = ask.host(host);
    }
    if let Some(claims) = &case.token {
        let claims =
            claims.iter().fold(stack.issuer.claims("somebody"), |all, (name, value)| all.with(name, value.clone()));
        ask = ask.bearer(&stack.issuer.sign("rsa-1", claims).unwrap());
    }
    case.headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
}

fn check(case: &Case, reply: &Reply, at: &str) {
    assert_eq!(reply.status, case.status, "{at}: {}", reply.text());
    for (name, value) in &case.response {
        assert_eq!(reply.header(name), value, "{at}: {:?}", reply.headers);
    }
    for (name, value) in &case.upstream {
        let echo = reply.echo().unwrap();
        let wanted: Vec<&str> = Some(value.as_str()).filter(|value| !value.is_empty()).into_iter().collect();
        assert_eq!(echo.all(name), wanted, "{at}: {:?}", echo.headers);
    }
}

/// The other files of an example, such as policies, with their names below it.
fn files(top: &Path, folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(top, &entry));
        } else if entry.file_name().is_none_or(|name| name != "gatehouse.yaml") {
            let name = entry.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            found.push((name, std::fs::read_to_string(&entry).unwrap()));
        }
    }
    found
}
