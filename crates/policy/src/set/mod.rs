//! A compiled set of policies and its evaluation.

mod build;
mod types;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{Path, Problems};
use model::{Denial, Reason, Stage, Trace};

use crate::analysis::InputPaths;
use crate::cache::CacheLimits;
use crate::config::{EntryPointUse, PolicyConfig};
use crate::engine::{Compiled, Failure, Limits};
use crate::http_send::{Exchange, HttpSender, MAX_REQUESTS};
use crate::input::{self, InputPlan, Material};
use crate::load::{Folder, LoadProblem};
use crate::result::{Decision, decide};

use crate::set::worker::Registry;

pub(crate) use build::{RawEntry, parse_rule as rule_path, vetted};
pub use types::{
    EngineKind, EntryPointDescription, EntryPointId, LimitSteer, PolicyAllow, PolicyInput, PolicyStats, RouteValue,
};

/// All policies of one configuration, compiled. Shared by all workers; each keeps its machines to itself.
pub struct PolicySet {
    /// Never used twice in a process: what a thread keeps for a set is found by it.
    id: u64,
    entries: Vec<Entry>,
    descriptions: Vec<EntryPointDescription>,
    timeout: Duration,
    max_instructions: usize,
    /// `None` when the cache is off.
    cache: Option<CacheLimits>,
    registry: Arc<Registry>,
    /// `None` when `http.send` is off.
    http: Option<Arc<HttpSender>>,
}

/// Why an entry point has no value.
pub(crate) enum RawFailure {
    /// A part of the request cannot be parsed.
    Input(String),
    /// The policy failed.
    Policy(Failure),
}

/// One entry point.
struct Entry {
    rule: String,
    compiled: Compiled,
    plan: InputPlan,
    /// What can be read, when decisions may be kept.
    cache_paths: Option<InputPaths>,
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet").field("id", &self.id).field("entries", &self.descriptions).finish_non_exhaustive()
    }
}

impl PolicySet {
    pub(crate) fn compile(
        config: &PolicyConfig,
        at: &Path,
        problems: &mut Problems,
        entry_points: &[EntryPointUse],
    ) -> Option<Self> {
        build::compile(config, at, problems, entry_points, build::Options::default())
    }

    /// Compiles what was read, for [`crate::opa`]: no decision cache, and entry points need not be rules.
    pub(crate) fn from_folders(
        folders: Arc<Vec<Folder>>,
        entries: Vec<RawEntry>,
        timeout: Duration,
        max_instructions: usize,
    ) -> Result<Self, Vec<LoadProblem>> {
        build::compile_folders(folders, entries, timeout, max_instructions)
    }

    /// The same set, whose policies may call `http.send`.
    pub(crate) fn asking(self, http: Option<Arc<HttpSender>>) -> Self {
        Self { http, ..self }
    }

    /// The value of an entry point for a request.
    pub(crate) fn value(
        &self,
        entry: EntryPointId,
        material: &Material<'_, '_>,
        deadline: Option<Instant>,
    ) -> Result<regorus::Value, RawFailure> {
        let Some(point) = self.entries.get(entry.0) else {
            return Err(RawFailure::Policy(Failure::Error("entry point of another policy set".to_owned())));
        };
        let document = input::build(&point.plan, material).map_err(RawFailure::Input)?;
        worker::with(self, |worker| self.run(worker, entry.0, document, deadline)).map_err(RawFailure::Policy)
    }

    /// The value of an entry point for an input of another kind.
    pub(crate) fn run_alone(&self, entry: EntryPointId, input: regorus::Value) -> Result<regorus::Value, Failure> {
        worker::with(self, |worker| self.run(worker, entry.0, input, None))
    }

    /// Runs an evaluation, and again for as long as it lacks the answer of an `http.send`.
    pub(crate) async fn answered<T>(
        &self,
        deadline: Option<Instant>,
        mut run: impl FnMut() -> T,
    ) -> Result<T, Failure> {
        let Some(http) = &self.http else { return Ok(run()) };
        let mut exchange = Exchange::default();
        loop {
            let result = exchange.during(&mut run);
            let Some(request) = exchange.wanted() else { return Ok(result) };
            if exchange.sent() >= MAX_REQUESTS {
                return Err(Failure::Limit(format!("more than {MAX_REQUESTS} requests of http.send")));
            }
            let answer = http.answer(&request, deadline).await;
            exchange.answered(request, answer);
        }
    }

    /// As [`PolicySet::evaluate`], for policies that may call `http.send`: never waits on the worker.
    ///
    /// # Errors
    /// As [`PolicySet::evaluate`].
    pub async fn decide(
        &self,
        entry: EntryPointId,
        input: &PolicyInput<'_, '_>,
        trace: &mut Trace,
    ) -> Result<PolicyAllow, Denial> {
        let deadline = input.request.deadline;
        match self.answered(deadline, || self.evaluate(entry, input, trace)).await {
            Ok(decided) => decided,
            Err(failure) => Err(denial_for(failure)),
        }
    }

    /// The entry point that evaluates `rule`; `None` unless it was among those compiled.
    pub fn entry_point(&self, rule: &str) -> Option<EntryPointId> {
        self.entries.iter().position(|e| e.rule == rule).map(EntryPointId)
    }

    /// How each entry point is served.
    pub fn engines(&self) -> &[EntryPointDescription] {
        &self.descriptions
    }

    /// Counters since the set was compiled.
    pub fn stats(&self) -> PolicyStats {
        self.registry.stats()
    }

    /// Decides one request.
    ///
    /// # Errors
    /// A denial when the policy says no, and whenever it does not clearly say yes: undefined
    /// ([`Reason::PolicyUndefined`]), failed or no decision ([`Reason::PolicyFailed`]), panicked
    /// ([`Reason::PolicyPanicked`]), time or instructions used up ([`Reason::PolicyTimedOut`]), or a request part
    /// that the policy reads is malformed ([`Reason::MalformedRequest`]).
    pub fn evaluate(
        &self,
        entry: EntryPointId,
        input: &PolicyInput<'_, '_>,
        trace: &mut Trace,
    ) -> Result<PolicyAllow, Denial> {
        let Some(point) = self.entries.get(entry.0) else {
            return Err(Denial::new(Reason::PolicyFailed).because("entry point of another policy set"));
        };
        let document = input::build(&point.plan, &input.material())
            .map_err(|what| Denial::new(Reason::MalformedRequest).because(what))?;
        let (decision, cached) = worker::with(self, |worker| {
            let key = worker.key(self, entry.0, input, &document);
            if let Some(decision) = worker.find(self, key, input.request.now) {
                return (decision, true);
            }
            let decision = match self.run(worker, entry.0, document, input.request.deadline) {
                Ok(value) => decide(&value),
                Err(failure) => Decision::Deny(denial_for(failure)),
            };
            worker.keep(self, key, &decision, input.request.now);
            (decision, false)
        });
        trace.note(Stage::Authorise, || {
            let from = if cached { "from the decision cache" } else { "evaluated" };
            format!("policy {} {from}: {}", point.rule, summary(&decision))
        });
        match decision {
            Decision::Allow(allow) => Ok(PolicyAllow { cached, ..allow }),
            Decision::Deny(denial) => Err(denial),
        }
    }

    fn run(
        &self,
        worker: &mut worker::Worker,
        entry: usize,
        document: regorus::Value,
        deadline: Option<Instant>,
    ) -> Result<regorus::Value, Failure> {
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(Failure::TooLate);
        }
        let time = left.map_or(self.timeout, |left| left.min(self.timeout));
        let limits = Limits { time, instructions: self.max_instructions };
        worker.run(self, entry, document, limits)
    }
}

fn denial_for(failure: Failure) -> Denial {
    match failure {
        Failure::Error(text) => Denial::new(Reason::PolicyFailed).because(text),
        Failure::TooLate => Denial::new(Reason::DeadlineExceeded),
        Failure::Panic => Denial::new(Reason::PolicyPanicked),
        Failure::Limit(text) => Denial::new(Reason::PolicyTimedOut).because(text),
    }
}

fn summary(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow(..) => "allowed",
        Decision::Deny(denial) => denial.reason.as_str(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
