//! The demo: Gatehouse behind a real Envoy, about ten requests, and why each was answered so.
//!
//! Run by `cargo xtask demo`, which builds everything and fetches Envoy first.

mod show;
mod story;

use std::process::ExitCode;

use anyhow::Context as _;
use tests::Stack;

use crate::show::say;

#[tokio::main]
async fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    match run(check).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("the demo failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// True when every answer was the expected one.
async fn run(check: bool) -> anyhow::Result<bool> {
    let stack = Stack::with(include_str!("gatehouse.yaml"))
        .file("policies/reports.rego", include_str!("policies/reports.rego"))
        .start()
        .await?;
    say(&format!(
        "Envoy listens on 127.0.0.1:{}; it asks Gatehouse over a Unix socket about each request.",
        stack.envoy.port()
    ));
    say(&format!("Configuration and logs: {}\n", stack.folder().display()));
    let scenes = story::scenes(&stack.issuer)?;
    let mut wrong = 0;
    for (number, scene) in scenes.iter().enumerate() {
        let reply = stack.ask(&scene.ask()).await.with_context(|| format!("request {}", number + 1))?;
        let good = show::scene(&stack, number + 1, scene, &reply).await;
        wrong += usize::from(!good);
    }
    if wrong == 0 {
        say(&format!("\nAll {} answers are the expected ones.", scenes.len()));
    } else {
        say(&format!("\n{wrong} of {} answers are NOT the expected ones.", scenes.len()));
    }
    if !check {
        show::curl_lines(&stack, &scenes);
        tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
        say("\nstopping");
    }
    Ok(wrong == 0)
}
