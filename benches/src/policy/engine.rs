//! The engine alone: the same policies on parsed requests, in this process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use futures_util::FutureExt as _;
use gateway::wire::{CheckIndex, Scratch};
use model::PluginAnswer;
use policy::opa::{Loaded, Plugin, PluginOptions};
use rustix::time::{ClockId, clock_gettime};

use super::prepared::Prepared;
use crate::plan::{Frame, Verdict};

/// What the engine does with a case.
#[derive(Debug, Clone)]
pub(super) struct EngineSample {
    /// CPU time of one evaluation with its input and answer.
    pub(super) nanos: f64,
    /// `rvm`, or `interpreter` with the reason.
    pub(super) kind: String,
}

/// Evaluates all requests of a case again and again for some time; the first time the answers are checked.
pub(super) fn measure(prepared: &Prepared, time: Duration) -> anyhow::Result<EngineSample> {
    let plugin = compile(&prepared.files)?;
    let scratches: Vec<Scratch> = prepared.frames.iter().map(|_| Scratch::default()).collect();
    let parsed = prepared.frames.iter().zip(&scratches).map(|(frame, scratch)| {
        CheckIndex::parse(&frame.message, scratch).map_err(|_malformed| anyhow!("a request cannot be parsed"))
    });
    let requests = parsed.collect::<anyhow::Result<Vec<_>>>()?;
    for (frame, request) in prepared.frames.iter().zip(&requests) {
        check(&plugin, frame, request)?;
    }
    let mut evaluations = 0_u32;
    let begin = thread_cpu_time();
    let spent = loop {
        for batch in requests.chunks(BATCH) {
            let deadline = Instant::now() + DEADLINE;
            for request in batch {
                std::hint::black_box(plugin.check(request, deadline).now_or_never());
                evaluations += 1;
            }
        }
        let spent = thread_cpu_time().saturating_sub(begin);
        if spent >= time {
            break spent;
        }
    };
    let kind = match plugin.engines() {
        [decision, ..] => match &decision.engine_reason {
            Some(reason) => format!("{}: {reason}", decision.engine.as_str()),
            None => decision.engine.as_str().to_owned(),
        },
        [] => bail!("nothing is evaluated"),
    };
    Ok(EngineSample { nanos: spent.as_secs_f64() * 1e9 / f64::from(evaluations), kind })
}

fn compile(files: &[PathBuf]) -> anyhow::Result<Plugin> {
    let mut loaded = Loaded::default();
    let wrong = |problems: Vec<String>| anyhow!("{}", problems.join("\n"));
    for file in files {
        loaded.add_path(file, false, false).map_err(wrong)?;
    }
    let path = DECISION.map(str::to_owned).to_vec();
    Plugin::compile(&loaded, PluginOptions { path, ..PluginOptions::default() }).map_err(wrong)
}

fn check(plugin: &Plugin, frame: &Frame, request: &CheckIndex<'_>) -> anyhow::Result<()> {
    // Only `http.send` is waited for, and none of the policies calls it.
    let checked = plugin.check(request, Instant::now() + DEADLINE).now_or_never();
    let (reply, _) = checked.context("the policy waits")?;
    let verdict = match &reply.answer {
        PluginAnswer::Allow(_) => Verdict::Allow,
        PluginAnswer::Deny { .. } => Verdict::Deny,
        PluginAnswer::Fault { message, .. } => bail!("the engine failed: {message}"),
    };
    if verdict != frame.expect {
        bail!("the engine says {verdict:?} where {:?} is right", frame.expect);
    }
    Ok(())
}

/// CPU time of this thread: other programs may run meanwhile.
fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The plugin's default path.
const DECISION: [&str; 3] = ["envoy", "authz", "allow"];
/// Time that no evaluation comes near.
const DEADLINE: Duration = Duration::from_secs(10);
const BATCH: usize = 64;
