//! `gatehouse explain`: one request, and why it is decided as it is.

mod curl;
mod request;
mod story;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pipeline::{CheckCall, Trust};
use tokio::runtime::Builder;

use crate::cli::{ExplainArgs, Format};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::output;
use story::Story;

/// How long keys may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let request = request::read(args).map_err(Failure::Usage)?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let story = runtime.block_on(async {
        let loaded = settings::load(&args.config.config)?;
        let engine = Engine::start(&loaded.config, runtime.handle().clone())?;
        let built = settings::build(&loaded, &engine.keys, 1)?;
        engine.keys_settled(PATIENCE).await;
        let view = request.view();
        let call = CheckCall { view: &view, deadline: None, trust: Trust::default(), explain: true };
        let checked = pipeline::check(&Arc::new(built.snapshot), &engine.services, call).await;
        Ok::<Story, Failure>(Story::of(&request, &checked))
    })?;
    match args.format {
        Format::Json => output::print_json(&story),
        Format::Text => output::print(&story.to_string()),
    }
}
