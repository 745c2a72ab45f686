//! `gatehouse check`.

use anyhow::Context as _;
use config::Report;
use serde::Serialize;
use settings::Config;
use tokio::runtime::Builder;

use crate::cli::{CheckArgs, Format};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::output;

/// What `--format json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    ok: bool,
    errors: usize,
    warnings: usize,
    problems: &'a [config::Finding],
}

pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let (summary, report) = match settings::load(&args.config.config) {
        Ok(loaded) => {
            // Never driven, so nothing is fetched.
            let idle = Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
            let engine = Engine::start(&loaded.config, idle.handle().clone())?;
            match settings::build(&loaded, &engine.keys, 1) {
                Ok(built) => (Some(summary(&loaded.config, &built.report)), built.report),
                Err(report) => (None, report),
            }
        }
        Err(report) => (None, report),
    };
    match args.format {
        Format::Json => output::print_json(&Outcome {
            ok: report.is_ok(),
            errors: report.errors(),
            warnings: report.warnings(),
            problems: report.findings(),
        })?,
        Format::Text => match summary {
            Some(summary) => {
                report.findings().iter().try_for_each(|f| output::print(&f.to_string()))?;
                output::print(&summary)?;
            }
            None => output::print(&report.to_string())?,
        },
    }
    if report.is_ok() { Ok(()) } else { Err(Failure::Reported) }
}

fn summary(config: &Config, report: &Report) -> String {
    let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let routes: usize = config.apis.iter().map(|api| api.routes.len()).sum();
    let mut parts = vec![
        count(config.server.listeners.len(), "listener"),
        count(config.authn.issuers.len(), "issuer"),
        count(config.policy.bundles.len(), "policy bundle"),
        count(config.ratelimit.tiers.len(), "tier"),
        count(config.apis.len(), "API"),
        count(routes, "route"),
    ];
    if report.warnings() > 0 {
        parts.push(count(report.warnings(), "warning"));
    }
    format!("OK: {}", parts.join(", "))
}
