//! `gatehouse policy`.

use anyhow::Context as _;
use policy::{EngineKind, EntryPointDescription};
use serde::Serialize;
use tokio::runtime::Builder;

use crate::cli::{CheckArgs, Format};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::output;

/// What `--format json` prints of a rule.
#[derive(Serialize)]
struct Served<'a> {
    rule: &'a str,
    engine: &'static str,
    engine_reason: Option<&'a str>,
    decisions_kept: bool,
    not_kept_reason: Option<&'a str>,
    reads: &'a [String],
}

pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let loaded = settings::load(&args.config.config)?;
    // Never driven, so nothing is fetched.
    let idle = Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let engine = Engine::start(&loaded.config, idle.handle().clone())?;
    let built = settings::build(&loaded, &engine.keys, 1)?;
    let rules = built.snapshot.policy().engines();
    match args.format {
        Format::Json => output::print_json(&rules.iter().map(served).collect::<Vec<_>>()),
        Format::Text if rules.is_empty() => output::print("no route names a policy rule"),
        Format::Text => rules.iter().try_for_each(|rule| output::print(&told(rule))),
    }
}

fn served(rule: &EntryPointDescription) -> Served<'_> {
    Served {
        rule: &rule.rule,
        engine: rule.engine.as_str(),
        engine_reason: rule.engine_reason.as_deref(),
        decisions_kept: rule.uncacheable.is_none(),
        not_kept_reason: rule.uncacheable.as_deref(),
        reads: &rule.input_paths,
    }
}

fn told(rule: &EntryPointDescription) -> String {
    let engine = match (rule.engine, &rule.engine_reason) {
        (EngineKind::Rvm, _) => "register machine".to_owned(),
        (EngineKind::Interpreter, Some(why)) => format!("interpreter, because of {why}"),
        (EngineKind::Interpreter, None) => "interpreter".to_owned(),
    };
    let kept = rule.uncacheable.as_ref().map_or_else(|| "can be kept".to_owned(), |why| format!("never kept: {why}"));
    let reads =
        if rule.input_paths.is_empty() { "nothing of the input".to_owned() } else { rule.input_paths.join(", ") };
    format!("{}\n  engine     {engine}\n  decisions  {kept}\n  reads      {reads}", rule.rule)
}
