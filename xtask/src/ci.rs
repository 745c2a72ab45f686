//! What CI runs.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::bail;

use crate::steps::{Steps, cargo, has_cargo_command};
use crate::{arch, generate, product};

/// `cargo xtask ci`
pub(crate) fn run(steps: &Steps) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    let mut note = |name: &'static str, result: anyhow::Result<()>| {
        if let Err(error) = result {
            steps.say(&format!("{name}: {error:#}"));
            failed.push(name);
        }
    };
    note("formatting", steps.run("formatting", &mut cargo(&["fmt", "--all", "--check"])));
    note("architecture", arch::check(steps));
    note("lints", steps.run("lints", &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])));
    note("docs", docs(steps));
    note("generated pages", generate::run(steps, true));
    note("dependencies", dependencies(steps));
    // The examples are inputs of the tests: `tests/it/examples.rs` runs each of them.
    note("tests", product::test(steps, &[]));
    if !failed.is_empty() {
        bail!("these checks failed: {}", failed.join(", "));
    }
    steps.say("all checks passed");
    Ok(())
}

fn docs(steps: &Steps) -> anyhow::Result<()> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    steps.run("docs", command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Licences, sources and duplicates need no network; advisories need their database.
fn dependencies(steps: &Steps) -> anyhow::Result<()> {
    if !has_cargo_command("deny") {
        steps.say("dependencies: NOT CHECKED, cargo-deny is not installed (cargo install cargo-deny)");
        return Ok(());
    }
    steps
        .run("dependencies: licences, sources, bans", &mut cargo(&["deny", "check", "licenses", "sources", "bans"]))?;
    if !advisories_reachable() {
        steps.say("dependencies: ADVISORIES NOT CHECKED, the advisory database cannot be reached from here");
        return Ok(());
    }
    steps.run("dependencies: advisories", &mut cargo(&["deny", "check", "advisories"]))
}

fn advisories_reachable() -> bool {
    let host = ("github.com", 443);
    let mut addresses = host.to_socket_addrs().into_iter().flatten();
    addresses.any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(3)).is_ok())
}
