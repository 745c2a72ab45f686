//! How the demo looks.

use std::time::Duration;

use serde_json::Value;
use tests::{Reply, Stack, eventually};

use crate::story::Scene;

/// Prints a line.
#[expect(clippy::print_stdout, reason = "the demo is what is printed")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints one request with its answer and the reason; true when the answer is the expected one.
pub(crate) async fn scene(stack: &Stack, number: usize, scene: &Scene, reply: &Reply) -> bool {
    let holder = scene.token.as_ref().map(|(name, _)| format!("  token ${name}")).unwrap_or_default();
    let extra: String = scene.headers.iter().map(|(name, value)| format!("  {name}: {value}")).collect();
    say(&format!("{number:>2}. {} {}{holder}{extra}", scene.method, scene.path));
    say(&format!("    {}  {}", reply.status, scene.title));
    say(&format!("         {}", why(stack, reply).await));
    let mut good = reply.status == scene.expected;
    if !good {
        say(&format!("         EXPECTED {}", scene.expected));
    }
    if reply.status == 200 {
        good &= seen_by_upstream(scene, reply);
    }
    good
}

/// The service must see the verified identity and nothing forged.
fn seen_by_upstream(scene: &Scene, reply: &Reply) -> bool {
    let Ok(echo) = reply.echo() else {
        say("         THE ANSWER IS NOT FROM THE SERVICE");
        return false;
    };
    let user = echo.all("x-user");
    let forged = echo.all("x-original-url");
    let shown = if user.is_empty() { "no x-user".to_owned() } else { format!("x-user: {}", user.join(", ")) };
    say(&format!("         the service saw {} {} and {shown}", echo.method, echo.path));
    let good = user == scene.user.into_iter().collect::<Vec<_>>() && forged.is_empty() && echo.path == scene.path;
    if !good {
        say(&format!("         EXPECTED x-user {:?} and no override header", scene.user));
    }
    good
}

/// What Gatehouse logged about this request.
async fn why(stack: &Stack, reply: &Reply) -> String {
    let id = reply.header("x-request-id").to_owned();
    if id.is_empty() {
        return "the answer carries no request id".to_owned();
    }
    // The line is written after the answer is on its way.
    let written =
        eventually("the decision is logged", Duration::from_secs(2), async || stack.gatehouse.decision(&id).is_some())
            .await;
    match stack.gatehouse.decision(&id) {
        Some(line) if written.is_ok() => summary(&line),
        _ => "Gatehouse logged no decision for it".to_owned(),
    }
}

fn summary(line: &Value) -> String {
    let field = |names: &[&str]| names.iter().find_map(|name| find(line, name)).filter(|value| !value.is_empty());
    let mut words =
        vec![format!("Gatehouse: {}", field(&["outcome", "decision.outcome"]).unwrap_or_else(|| "decided".to_owned()))];
    let labelled = [
        ("reason", &["reason"][..]),
        ("because", &["detail", "reason.detail"]),
        ("route", &["route", "route.name"]),
        ("principal", &["principal.id", "subject", "principal.subject"]),
    ];
    for (label, names) in labelled {
        if let Some(value) = field(names) {
            words.push(format!("{label} {value}"));
        }
    }
    words.join(", ")
}

/// A field of a log line: at the top, or under `fields`.
fn find(line: &Value, name: &str) -> Option<String> {
    let value = line.get(name).or_else(|| line.get("fields").and_then(|fields| fields.get(name)))?;
    Some(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
}

/// Lines to copy into another terminal.
pub(crate) fn curl_lines(stack: &Stack, scenes: &[Scene]) {
    say("\nEverything stays up until Ctrl-C. In another terminal:\n");
    let mut known = Vec::new();
    for (name, token) in scenes.iter().filter_map(|scene| scene.token.as_ref()) {
        if !known.contains(name) {
            known.push(name);
            say(&format!("{name}={token}"));
        }
    }
    say("");
    let address = format!("http://127.0.0.1:{}", stack.envoy.port());
    let mut printed = Vec::new();
    for scene in scenes {
        let method = if scene.method == http::Method::GET { String::new() } else { format!(" -X {}", scene.method) };
        let token =
            scene.token.as_ref().map(|(name, _)| format!(" -H \"authorization: Bearer ${name}\"")).unwrap_or_default();
        let extra: String = scene.headers.iter().map(|(name, value)| format!(" -H '{name}: {value}'")).collect();
        let line = format!("curl -i -H 'host: api.example.com'{method}{token}{extra} '{address}{}'", scene.path);
        if !printed.contains(&line) {
            say(&line);
            printed.push(line);
        }
    }
    say(&format!("\ntail -f {}/gatehouse.log", stack.folder().display()));
}
