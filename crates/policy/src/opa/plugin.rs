//! One plugin with its policies: a check in, an answer and its record out.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{PluginAnswer, PluginReply, Refusal, RequestView};
use prost_reflect::DescriptorPool;
use regorus::Value;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::bundle::Bundle;
use crate::engine::Failure;
use crate::http_send::HttpSender;
use crate::input::{InputPlan, Material, Source};
use crate::load::{Folder, LoadProblem, read_argument};
use crate::opa::reply::{self, Said};
use crate::set::{EntryPointDescription, EntryPointId, PolicySet, RawEntry, RawFailure};

/// gRPC codes of faults.
const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
/// What one evaluation may cost: OPA has no limit of its own but the caller's deadline.
const LONGEST: Duration = Duration::from_secs(10);
const MOST_INSTRUCTIONS: usize = 100_000_000;

/// How checks are answered (`plugins.envoy_ext_authz_grpc`).
#[derive(Debug, Clone, Default)]
pub struct PluginOptions {
    /// The path of the decision below `data`.
    pub path: Vec<String>,
    /// Answer yes whatever the policy says (`dry-run`).
    pub dry_run: bool,
    /// Leave out `parsed_body` and `truncated_body` (`skip-request-body-parse`).
    pub skip_request_body_parse: bool,
    /// gRPC services whose messages can be read (`proto-descriptor`).
    pub descriptors: Option<DescriptorPool>,
    /// Byte for byte what the plugin would send.
    pub strict: bool,
    /// Sends what policies ask for with `http.send`, which is off when absent.
    pub http: Option<Arc<HttpSender>>,
    /// The rules for the decision log.
    pub log: LogRules,
}

/// Paths below `data` of the rules for the decision log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRules {
    /// What is masked (`mask_decision`).
    pub mask: Vec<String>,
    /// What is left out (`drop_decision`).
    pub drop: Vec<String>,
}

impl Default for LogRules {
    fn default() -> Self {
        let path = |name: &str| ["system", "log", name].map(str::to_owned).to_vec();
        Self { mask: path("mask"), drop: path("drop") }
    }
}

/// The descriptors in a file (a binary `FileDescriptorSet`); none when no file is named.
///
/// # Errors
/// The file cannot be read, or is something else.
pub fn read_descriptors(file: &Path) -> Result<Option<DescriptorPool>, String> {
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let bytes = std::fs::read(file).map_err(|error| format!("proto-descriptor: {}: {error}", file.display()))?;
    DescriptorPool::decode(bytes.as_slice())
        .map(Some)
        .map_err(|error| format!("proto-descriptor: {} is no FileDescriptorSet: {error}", file.display()))
}

/// Policies and data, read but not compiled.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    folders: Arc<Vec<Folder>>,
}

impl Loaded {
    /// Adds a file or folder named on the command line, as `opa run` would load it. `is_bundle` says that it is laid out as a bundle:
    /// then data files are named `data.json` or `data.yaml`.
    ///
    /// # Errors
    /// What cannot be read, one line each.
    pub fn add_path(&mut self, path: &Path, is_bundle: bool, is_v0: bool) -> Result<(), Vec<String>> {
        let mut problems = Vec::new();
        let folder = read_argument(path, is_bundle, is_v0, &mut problems);
        Arc::make_mut(&mut self.folders).push(folder);
        if problems.is_empty() { Ok(()) } else { Err(problems.into_iter().map(|p| p.message).collect()) }
    }

    /// Adds the contents of a bundle.
    pub fn add_bundle(&mut self, name: &str, bundle: &Bundle) {
        Arc::make_mut(&mut self.folders).push(Folder::of_bundle(name, bundle));
    }
}

/// What policies and data say at a path below `data`, without input: the configuration in a discovery bundle.
///
/// # Errors
/// The policies do not compile, or there is no value.
pub fn evaluate(loaded: &Loaded, path: &[String]) -> Result<Json, Vec<String>> {
    let entry = RawEntry::anything(path);
    let rule = entry.rule.clone();
    let set = PolicySet::from_folders(Arc::clone(&loaded.folders), vec![entry], LONGEST, MOST_INSTRUCTIONS)
        .map_err(|problems| problems.into_iter().map(told).collect::<Vec<_>>())?;
    let none = || vec![format!("{rule} has no value")];
    let id = set.entry_point(&rule).ok_or_else(none)?;
    match set.run_alone(id, Value::Undefined) {
        Ok(Value::Undefined) => Err(none()),
        Ok(value) => reply::to_json(&value).ok_or_else(|| vec![format!("{rule} is no JSON")]),
        Err(failure) => Err(vec![fault(failure).2]),
    }
}

/// A decision as the log wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// UUIDv4.
    pub decision_id: String,
    /// What the policy said.
    pub outcome: Outcome,
    /// From request to answer.
    pub handler: Duration,
    /// The evaluation alone.
    pub evaluation: Duration,
}

/// What the policy said.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A value; the log has it as `result`.
    Result(PolicyResult),
    /// No value that is a decision; with the code that counts it (`error_counter{reason}`).
    Error {
        /// The plugin's code.
        code: &'static str,
        /// The plugin's message.
        message: String,
    },
}

/// The value of a decision as the engine holds it: most are never logged, and need not become JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyResult(Value);

impl PolicyResult {
    /// The value as JSON, `null` when it has no such form.
    pub fn to_json(&self) -> Json {
        reply::to_json(&self.0).unwrap_or_default()
    }
}

impl From<Json> for PolicyResult {
    fn from(json: Json) -> Self {
        Self(Value::from(json))
    }
}

/// Compiled policies behind one path.
pub struct Plugin {
    set: PolicySet,
    decision: EntryPointId,
    mask: Option<EntryPointId>,
    drop: Option<EntryPointId>,
    options: PluginOptions,
}

impl Plugin {
    /// Compiles everything that was loaded.
    ///
    /// # Errors
    /// Every problem, starting with `file:line:` where a file is to blame.
    pub fn compile(loaded: &Loaded, options: PluginOptions) -> Result<Self, Vec<String>> {
        let decision = RawEntry::anything(&options.path);
        let [mask, drop] = [&options.log.mask, &options.log.drop].map(|path| RawEntry::if_defined(path));
        let rule = decision.rule.clone();
        let (mask_rule, drop_rule) = (mask.rule.clone(), drop.rule.clone());
        let mut entries = vec![decision];
        for log in [mask, drop] {
            if entries.iter().all(|entry| entry.rule != log.rule) {
                entries.push(log);
            }
        }
        let set = PolicySet::from_folders(Arc::clone(&loaded.folders), entries, LONGEST, MOST_INSTRUCTIONS)
            .map_err(|problems| problems.into_iter().map(told).collect::<Vec<_>>())?;
        let (mask, drop) = (set.entry_point(&mask_rule), set.entry_point(&drop_rule));
        match set.entry_point(&rule) {
            Some(decision) => {
                let set = set.asking(options.http.clone());
                Ok(Self { set, decision, mask, drop, options })
            }
            None => Err(vec![format!("{rule} cannot be evaluated")]),
        }
    }

    /// How the decision and the rules for the log are served.
    pub fn engines(&self) -> &[EntryPointDescription] {
        self.set.engines()
    }

    /// Decides one check. Waits for nothing but the answers to `http.send`.
    pub async fn check(&self, view: &dyn RequestView, deadline: Instant) -> (PluginReply, Record) {
        let started = Instant::now();
        let decision_id = Uuid::new_v4().to_string();
        let material = self.material(view);
        let evaluate = || self.set.value(self.decision, &material, Some(deadline));
        let evaluated = match self.set.answered(Some(deadline), evaluate).await {
            Ok(evaluated) => evaluated,
            Err(failure) => Err(RawFailure::Policy(failure)),
        };
        let evaluation = started.elapsed();
        let (reply, outcome) = match evaluated {
            Err(RawFailure::Input(error)) => {
                let message = format!("request_parse_error: {error}");
                let refusal = Refusal { status: 400, headers: Vec::new(), body: message.clone() };
                let answer = PluginAnswer::Deny { message, refusal: Some(refusal) };
                let reply = PluginReply { answer, metadata: Map::new(), strict: self.options.strict };
                (reply, Outcome::Error { code: "request_parse_error", message: error })
            }
            Err(RawFailure::Policy(failure)) => {
                let (grpc, code, message) = fault(failure);
                (PluginReply::fault(grpc, message.clone(), self.options.strict), Outcome::Error { code, message })
            }
            Ok(value) => self.reply(value, &decision_id),
        };
        (reply, Record { decision_id, outcome, handler: started.elapsed(), evaluation })
    }

    fn reply(&self, value: Value, decision_id: &str) -> (PluginReply, Outcome) {
        let strict = self.options.strict;
        match reply::read(&value) {
            Ok(Said { answer, mut metadata }) => {
                metadata.insert("decision_id".to_owned(), Json::from(decision_id));
                let answer = if self.options.dry_run && matches!(answer, PluginAnswer::Deny { .. }) {
                    PluginAnswer::Allow(Some(Default::default()))
                } else {
                    answer
                };
                (PluginReply { answer, metadata, strict }, Outcome::Result(PolicyResult(value)))
            }
            Err(message) => {
                let code = if value == Value::Undefined { "envoyauth_eval_error" } else { "envoyauth_result_error" };
                (PluginReply::fault(UNKNOWN, message.clone(), strict), Outcome::Error { code, message })
            }
        }
    }

    /// `input` as the policy would see it, in full; `None` when a part of it cannot be parsed.
    pub fn input(&self, view: &dyn RequestView) -> Option<Json> {
        let everything = InputPlan::everything();
        let input = crate::input::build(&everything, &self.material(view)).ok()?;
        reply::to_json(&input)
    }

    /// Whether there are rules for the decision log.
    pub fn has_log_rules(&self) -> bool {
        self.mask.is_some() || self.drop.is_some()
    }

    /// What `data.system.log.mask` says of an event of the decision log; an empty list when there is no such rule.
    ///
    /// # Errors
    /// The rule failed: the event must not be logged.
    pub fn mask(&self, event: &Json) -> Result<Json, String> {
        self.ask(self.mask, event).map(|said| said.unwrap_or_else(|| Json::Array(Vec::new())))
    }

    /// What `data.system.log.drop` says of an event: whether it is left out of the log.
    ///
    /// # Errors
    /// The rule failed: the event must not be logged.
    pub fn drops(&self, event: &Json) -> Result<bool, String> {
        self.ask(self.drop, event).map(|said| said == Some(Json::Bool(true)))
    }

    fn ask(&self, entry: Option<EntryPointId>, event: &Json) -> Result<Option<Json>, String> {
        let Some(entry) = entry else { return Ok(None) };
        match self.set.run_alone(entry, Value::from(event.clone())) {
            Ok(Value::Undefined) => Ok(None),
            Ok(value) => reply::to_json(&value).map(Some).ok_or_else(|| "its value is no JSON".to_owned()),
            Err(failure) => Err(fault(failure).2),
        }
    }

    fn material<'a>(&'a self, view: &'a dyn RequestView) -> Material<'a, 'a> {
        Material {
            source: Source::Received(view),
            ours: None,
            bodies: !self.options.skip_request_body_parse,
            descriptors: self.options.descriptors.as_ref(),
        }
    }
}

/// gRPC code, the plugin's code and its message.
fn fault(failure: Failure) -> (u8, &'static str, String) {
    match failure {
        Failure::TooLate => {
            let message = "check request timed out before query execution: context deadline exceeded";
            (DEADLINE_EXCEEDED, "check_request_timeout", message.to_owned())
        }
        Failure::Limit(text) => (UNKNOWN, "eval_cancel_error", format!("eval_cancel_error: {text}")),
        Failure::Panic => (UNKNOWN, "eval_internal_error", "eval_internal_error: a builtin failed".to_owned()),
        Failure::Error(text) => (UNKNOWN, "eval_internal_error", text),
    }
}

fn told(problem: LoadProblem) -> String {
    match problem.bundle {
        Some(bundle) if !bundle.is_empty() => format!("{} (bundle {bundle})", problem.message),
        _ => problem.message,
    }
}
