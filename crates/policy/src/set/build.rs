//! From configuration to a policy set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Path, Problems};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::analysis::{Graph, Reach};
use crate::builtins::impure_among;
use crate::cache::CacheLimits;
use crate::config::{BundleConfig, DecisionCacheConfig, EntryPointUse, PolicyConfig};
use crate::engine::{Compiled, compile as compile_entry};
use crate::http_send::HttpSender;
use crate::input::InputPlan;
use crate::load::{Folder, LoadProblem, parse, read_folder, run_with_deadline};
use crate::set::worker::Registry;
use crate::set::{EngineKind, Entry, EntryPointDescription, PolicySet};
use crate::vet::{Verdict, vet};

/// The longest that loading and compiling may take.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);
/// The longest that a decision may be kept.
const MAX_CACHE_AGE: Duration = Duration::from_secs(300);
/// The longest that one evaluation may be given.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// What loading gives: entry points with their descriptions, and problems.
#[derive(Default)]
struct Loaded {
    entries: Vec<(Entry, EntryPointDescription)>,
    problems: Vec<LoadProblem>,
    /// Problems of single entry points, by their position.
    entry_problems: Vec<(usize, String)>,
    /// What works, and could be better.
    warnings: Vec<String>,
}

/// How to compile; tests ask for something else than the default.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// The longest that loading and compiling may take.
    pub(super) deadline: Duration,
    /// Leave the register machine alone.
    pub(super) interpreter_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: LOAD_DEADLINE, interpreter_only: false }
    }
}

/// See [`PolicyConfig::compile`].
pub(super) fn compile(
    config: &PolicyConfig,
    at: &Path,
    problems: &mut Problems,
    uses: &[EntryPointUse],
    options: Options,
) -> Option<PolicySet> {
    let mut failed = check_section(config, at, problems);
    let mut rules: Vec<(String, Vec<String>)> = Vec::new();
    for usage in uses {
        match parse_rule(&usage.rule) {
            Some(path) if !rules.iter().any(|(r, _)| *r == usage.rule) => rules.push((usage.rule.clone(), path)),
            Some(_) => {}
            None => {
                problems.error(&usage.at, format!("`{}` is not a rule: write it as data.package.rule", usage.rule));
                failed = true;
            }
        }
    }
    let loaded = match load_groups(config, &rules, options) {
        Ok(loaded) => loaded,
        Err(message) => {
            problems.error(&at.key("bundles"), message);
            return None;
        }
    };
    for problem in &loaded.problems {
        let path = match &problem.bundle {
            Some(bundle) => at.key("bundles").key(bundle.as_str()).key("path"),
            None => at.key("bundles"),
        };
        problems.error(&path, problem.message.clone());
        failed = true;
    }
    for (position, message) in &loaded.entry_problems {
        let Some((rule, _)) = rules.get(*position) else { continue };
        for usage in uses.iter().filter(|u| u.rule == *rule) {
            problems.error(&usage.at, message.clone());
        }
        failed = true;
    }
    for warning in &loaded.warnings {
        problems.warn(&at.key("bundles"), warning.clone());
    }
    if failed {
        return None;
    }
    let max_instructions = usize::try_from(config.max_instructions).unwrap_or(usize::MAX);
    let mut set = assemble(loaded, config.timeout.0, max_instructions, Some(&config.decision_cache));
    set.http = HttpSender::new(&config.http_send);
    Some(set)
}

fn check_section(config: &PolicyConfig, at: &Path, problems: &mut Problems) -> bool {
    let before = problems.len();
    if config.timeout.0.is_zero() || config.timeout.0 > MAX_TIMEOUT {
        problems.error(&at.key("timeout"), "must be more than zero and at most 10s");
    }
    config.http_send.check(&at.key("http_send"), problems);
    if config.max_instructions == 0 {
        problems.error(&at.key("max_instructions"), "must be more than zero");
    }
    if config.decision_cache.max_age.0 > MAX_CACHE_AGE {
        problems.error(&at.key("decision_cache").key("max_age"), "must be at most 5m");
    }
    problems.len() > before
}

fn assemble(
    loaded: Loaded,
    timeout: Duration,
    max_instructions: usize,
    cache: Option<&DecisionCacheConfig>,
) -> PolicySet {
    let (entries, descriptions): (Vec<Entry>, Vec<EntryPointDescription>) = loaded.entries.into_iter().unzip();
    for d in &descriptions {
        tracing::info!(
            rule = %d.rule,
            engine = d.engine.as_str(),
            reason = d.engine_reason.as_deref().unwrap_or_default(),
            cacheable = d.uncacheable.is_none(),
            "policy entry point compiled"
        );
    }
    // Each worker has a cache of its own, and there are about as many workers as cores.
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let cache = cache.filter(|cache| cache.enabled && cache.size.0 > 0 && !cache.max_age.0.is_zero());
    PolicySet {
        id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        entries,
        descriptions,
        timeout,
        max_instructions,
        cache: cache.map(|cache| CacheLimits { bytes: cache.size.bytes() / workers, max_age: cache.max_age.0 }),
        registry: Arc::new(Registry::default()),
        http: None,
    }
}

/// Compiles every isolated bundle for itself, and the others together.
fn load_groups(config: &PolicyConfig, rules: &[(String, Vec<String>)], options: Options) -> Result<Loaded, String> {
    let alone = config.bundles.iter().filter(|(_, bundle)| bundle.isolated);
    let groups = std::iter::once(None).chain(alone.map(|(name, _)| Some(name.as_str())));
    let mut all = Loaded::default();
    let mut seen = vec![false; rules.len()];
    for group in groups {
        let bundles: BTreeMap<String, BundleConfig> = config
            .bundles
            .iter()
            .filter(|(name, bundle)| group.map_or(!bundle.isolated, |group| group == name.as_str()))
            .map(|(name, bundle)| (name.clone(), bundle.clone()))
            .collect();
        let of_group: Vec<usize> = (0..rules.len())
            .filter(|position| rules.get(*position).is_some_and(|(rule, _)| bundle_of(rule) == group))
            .collect();
        let chosen = of_group.iter().filter_map(|position| rules.get(*position).cloned()).collect();
        let mut loaded = load(bundles, chosen, options)?;
        all.entries.append(&mut loaded.entries);
        all.problems.append(&mut loaded.problems);
        all.warnings.append(&mut loaded.warnings);
        let place = |(position, message)| Some((*of_group.get::<usize>(position)?, message));
        all.entry_problems.extend(loaded.entry_problems.into_iter().filter_map(place));
        of_group.iter().for_each(|position| seen.iter_mut().skip(*position).take(1).for_each(|seen| *seen = true));
    }
    for (position, (rule, _)) in
        rules.iter().enumerate().filter(|(position, _)| !seen.get(*position).is_some_and(|s| *s))
    {
        let bundle = bundle_of(rule).unwrap_or_default();
        all.entry_problems.push((position, format!("`{rule}`: there is no isolated bundle `{bundle}`")));
    }
    Ok(all)
}

/// `payments` of `payments:data.x.allow`.
fn bundle_of(rule: &str) -> Option<&str> {
    rule.split_once(":data").map(|(bundle, _)| bundle)
}

/// Reads and compiles, within the deadline.
fn load(
    bundles: BTreeMap<String, BundleConfig>,
    rules: Vec<(String, Vec<String>)>,
    options: Options,
) -> Result<Loaded, String> {
    let read = move || {
        let mut problems = Vec::new();
        let folders: Vec<Folder> = bundles.iter().map(|(name, b)| read_folder(name, &b.path, &mut problems)).collect();
        (folders, problems)
    };
    let (folders, problems) =
        run_with_deadline(options.deadline, read).map_err(|error| format!("reading policies {error}"))?;
    if !problems.is_empty() {
        return Ok(Loaded { problems, ..Loaded::default() });
    }
    let entries: Vec<RawEntry> = rules
        .into_iter()
        .map(|(rule, path)| {
            let undefined = Undefined::Problem;
            RawEntry { rule, path, undefined, numbers_are_places: false }
        })
        .collect();
    compile_guarded(Arc::new(folders), entries, options)
}

/// Compiles in a process of its own, and what came through there here, on a thread of its own.
fn compile_guarded(folders: Arc<Vec<Folder>>, entries: Vec<RawEntry>, options: Options) -> Result<Loaded, String> {
    let Verdict { problems, entry_problems } = vet(&folders, &entries, options.interpreter_only, options.deadline)?;
    if !problems.is_empty() || !entry_problems.is_empty() {
        return Ok(Loaded { problems, entry_problems, ..Loaded::default() });
    }
    let current = Arc::new(Mutex::new(String::new()));
    let progress = Arc::clone(&current);
    let work = move || {
        let mut loaded = Loaded::default();
        let progress = |file: &str| file.clone_into(&mut progress.lock());
        compile_all(&folders, &entries, &mut loaded, options, &progress);
        loaded
    };
    run_with_deadline(options.deadline, work).map_err(|error| {
        let file = current.lock();
        if file.is_empty() {
            format!("compiling policies {error}")
        } else {
            format!("compiling policies {error}, last at {file}")
        }
    })
}

/// What is wrong with policies, for [`crate::vet`].
pub(crate) fn vetted(folders: Vec<Folder>, entries: Vec<RawEntry>, interpreter_only: bool) -> Verdict {
    let options = Options { interpreter_only, ..Options::default() };
    let work = move || {
        let mut loaded = Loaded::default();
        compile_all(&folders, &entries, &mut loaded, options, &|_| ());
        Verdict { problems: loaded.problems, entry_problems: loaded.entry_problems }
    };
    // The stack of that thread is the one that policies are compiled with.
    run_with_deadline(options.deadline, work).unwrap_or_else(|error| Verdict {
        problems: vec![LoadProblem::general(format!("compiling policies {error}"))],
        entry_problems: Vec::new(),
    })
}

/// An entry point to compile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RawEntry {
    /// What it is called.
    pub(crate) rule: String,
    /// Its path, starting with `data`.
    path: Vec<String>,
    undefined: Undefined,
    /// Names that are whole numbers are places in lists, as in the plugin's `path`.
    numbers_are_places: bool,
}

/// What becomes of an entry point that no policy defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Undefined {
    Problem,
    /// It may be data, or stay undefined.
    Compiled,
    LeftOut,
}

impl RawEntry {
    /// Whatever lies at the path below `data`: rules, data or nothing.
    pub(crate) fn anything(path: &[String]) -> Self {
        Self { numbers_are_places: true, ..Self::of(path.iter().map(String::as_str), Undefined::Compiled) }
    }

    /// A rule that may be missing: then there is no such entry point.
    pub(crate) fn if_defined(path: &[String]) -> Self {
        Self::of(path.iter().map(String::as_str), Undefined::LeftOut)
    }

    fn of<'n>(names: impl Iterator<Item = &'n str>, undefined: Undefined) -> Self {
        let path: Vec<String> = std::iter::once("data").chain(names).map(str::to_owned).collect();
        Self { rule: path.join("/"), path, undefined, numbers_are_places: false }
    }
}

/// See [`PolicySet::from_folders`].
pub(super) fn compile_folders(
    folders: Arc<Vec<Folder>>,
    entries: Vec<RawEntry>,
    timeout: Duration,
    max_instructions: usize,
) -> Result<PolicySet, Vec<LoadProblem>> {
    let loaded =
        compile_guarded(folders, entries, Options::default()).map_err(|message| vec![LoadProblem::general(message)])?;
    let entry_problems = loaded.entry_problems.iter().map(|(_, message)| LoadProblem::general(message.clone()));
    let problems: Vec<LoadProblem> = loaded.problems.iter().cloned().chain(entry_problems).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    for warning in &loaded.warnings {
        tracing::warn!(problem = %warning, "policies");
    }
    Ok(assemble(loaded, timeout, max_instructions, None))
}

fn compile_all(
    folders: &[Folder],
    entries: &[RawEntry],
    loaded: &mut Loaded,
    options: Options,
    progress: &dyn Fn(&str),
) {
    let paths: Vec<Vec<String>> = entries.iter().map(|entry| entry.path.clone()).collect();
    let mut sources = parse(folders, &paths, &mut loaded.problems, progress);
    let graph = Graph::new(sources.engine.get_modules());
    let conflicts = graph.data_conflicts(&sources.data);
    loaded.problems.extend(graph.problems().into_iter().chain(conflicts).map(LoadProblem::general));
    if !loaded.problems.is_empty() {
        return;
    }
    for (position, RawEntry { rule, path, undefined, numbers_are_places }) in entries.iter().enumerate() {
        progress(rule);
        if !graph.means_rules(path) {
            match undefined {
                Undefined::Problem => {
                    loaded.entry_problems.push((position, format!("no policy defines {rule}")));
                    continue;
                }
                Undefined::LeftOut => continue,
                Undefined::Compiled => {}
            }
        }
        // Where a rule may be missing, undefined means that it says nothing, and a conflict must not look the same.
        let mut reach = if *undefined == Undefined::LeftOut { graph.reach_strictly(path) } else { graph.reach(path) };
        if options.interpreter_only {
            reach.rvm_blockers.insert("the register machine is off".to_owned());
        }
        match compile_entry(&sources, &lookup(path, *numbers_are_places), &reach) {
            Ok((compiled, engine_reason)) => loaded.entries.push(entry(rule, compiled, engine_reason, &reach)),
            Err(message) => loaded.entry_problems.push((position, format!("{rule} cannot be compiled: {message}"))),
        }
    }
    if loaded.entries.iter().any(|(entry, _)| matches!(entry.compiled, Compiled::Interpreter { .. })) {
        loaded.warnings.extend(graph.data_beside_rules(&sources.data, MOST_BESIDE_RULES));
    }
}

/// The rule that gives what lies at a path. A place in a list is looked up in what comes before it: the engine takes `rule[1]` for
/// `rule["1"]` when there is a rule of that name.
fn lookup(path: &[String], numbers_are_places: bool) -> String {
    let (mut body, mut reference, mut variables) = (String::new(), "data".to_owned(), 0);
    for name in path.iter().skip(1) {
        match name.parse::<i64>() {
            Ok(place) if numbers_are_places => {
                variables += 1;
                body.push_str(&format!("\tv{variables} := {reference}\n"));
                reference = format!("v{variables}[{place}]");
            }
            Ok(_) | Err(_) => reference.push_str(&format!("[{}]", serde_json::Value::from(name.as_str()))),
        }
    }
    if body.is_empty() {
        format!("decision := {reference}")
    } else {
        format!("decision := {reference} if {{\n{body}}}")
    }
}

fn entry(
    rule: &str,
    compiled: Compiled,
    engine_reason: Option<String>,
    reach: &Reach,
) -> (Entry, EntryPointDescription) {
    let impure = impure_among(&reach.builtins).map(|name| format!("it can call `{name}`"));
    let description = EntryPointDescription {
        rule: rule.to_owned(),
        engine: match &compiled {
            Compiled::Rvm { .. } => EngineKind::Rvm,
            Compiled::Interpreter { .. } => EngineKind::Interpreter,
        },
        engine_reason,
        uncacheable: impure.clone(),
        input_paths: reach.input.describe(),
    };
    let plan = InputPlan::new(&reach.input);
    let cache_paths = impure.is_none().then(|| reach.input.clone());
    (Entry { rule: rule.to_owned(), compiled, plan, cache_paths }, description)
}

/// The interpreter copies what lies beside the rules of a package on every evaluation; up to here nobody notices.
const MOST_BESIDE_RULES: usize = 256;

/// `data.a.b`, `data.a["b-c"]` or `bundle:data.a.b` as a path that starts with `data`.
pub(crate) fn parse_rule(rule: &str) -> Option<Vec<String>> {
    let rule = bundle_of(rule).map_or(Some(rule), |bundle| rule.strip_prefix(bundle)?.strip_prefix(':'))?;
    let mut rest = rule.strip_prefix("data")?;
    let mut path = vec!["data".to_owned()];
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[\"") {
            let (name, after) = after.split_once("\"]")?;
            if name.is_empty() || name.contains(['"', '\\']) || name.chars().any(char::is_control) {
                return None;
            }
            path.push(name.to_owned());
            rest = after;
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end)?;
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            path.push(name.to_owned());
            rest = after;
        }
    }
    (path.len() > 1 && path.len() <= 16).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_paths_under_data() {
        assert_eq!(parse_rule("data.a.b_2").unwrap(), ["data", "a", "b_2"]);
        assert_eq!(parse_rule("data.a[\"b-c\"].d").unwrap(), ["data", "a", "b-c", "d"]);
        for bad in ["", "data", "data.", "data..a", "input.a", "data.a.", "data.a[b]", "data.a b", "data.1", "data[\"a"]
        {
            assert_eq!(parse_rule(bad), None, "{bad}");
        }
    }
}
