//! Parses sources and data into one engine.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use regorus::unstable::{Module, Ref};
use regorus::utils::limits::PolicyLengthConfig;
use regorus::{Engine, Value};

use crate::analysis::package_of;
use crate::bundle::covers;
use crate::load::rewrite::rewrite;
use crate::load::{Folder, LoadProblem, SourceFile, check_nesting, dispatch, idiom, syntax};

/// What one source may be. Certificates and key sets stand in policies as one long line.
pub(crate) fn lengths() -> PolicyLengthConfig {
    let default = PolicyLengthConfig::default();
    PolicyLengthConfig { max_col: MAX_COLUMNS, ..default }
}

/// One module alone; `None` when it cannot be read.
pub(super) fn parsed(path: &str, text: &str, v0: bool) -> Option<Engine> {
    let mut engine = Engine::new();
    engine.set_rego_v0(v0);
    engine.set_policy_length_config(lengths());
    engine.add_policy(path.to_owned(), text.to_owned()).ok()?;
    Some(engine)
}

const MAX_COLUMNS: NonZeroU32 = match NonZeroU32::new(1 << 20) {
    Some(columns) => columns,
    None => NonZeroU32::MIN,
};

/// Everything that was loaded, parsed.
pub(crate) struct Sources {
    /// Holds all modules and all data.
    pub(crate) engine: Engine,
    /// The same in words that the register machine's compiler knows, where that makes a difference.
    pub(crate) for_machine: Option<Engine>,
    /// The base documents.
    pub(crate) data: Value,
}

/// Parses all files. Problems are collected; the result is only usable when there were none. `entries` are the paths of the entry
/// points.
pub(crate) fn parse(
    folders: &[Folder],
    entries: &[Vec<String>],
    problems: &mut Vec<LoadProblem>,
    progress: &dyn Fn(&str),
) -> Sources {
    let mut engine = first_engine(folders, problems, progress);
    let mut for_machine = None;
    if problems.is_empty() {
        let texts = idiom::rewrite(engine.get_modules(), entries);
        if !texts.is_empty() {
            engine = engine_with(engine.get_modules(), folders, &texts, problems);
        }
        let texts = dispatch::rewrite(engine.get_modules());
        if !texts.is_empty() {
            // What it cannot read is served by the interpreter.
            let mut unread = Vec::new();
            let machine = engine_with(engine.get_modules(), folders, &texts, &mut unread);
            for_machine = unread.is_empty().then_some(machine);
        }
    }
    for folder in folders {
        for (mount, file) in &folder.data {
            progress(&file.path);
            add_data(&mut engine, mount, file, problems);
        }
        if let Some(document) = &folder.document
            && let Err(error) = engine.add_data(Value::from(document.clone()))
        {
            problems.push(LoadProblem::general(format!("data of two bundles is in conflict: {error}")));
        }
    }
    let data = engine.get_data();
    problems.extend(syntax::exposed(engine.get_modules(), entries, &data).into_iter().map(LoadProblem::general));
    // It holds nothing yet that data could be in conflict with.
    let for_machine = for_machine.and_then(|mut machine| machine.add_data(data.clone()).is_ok().then_some(machine));
    Sources { engine, for_machine, data }
}

/// The texts of the modules that change, by their places among all.
pub(crate) type NewTexts = BTreeMap<usize, String>;

fn empty_engine() -> Engine {
    let mut engine = Engine::new();
    // As OPA does: a builtin that fails is undefined, unless something else was asked for.
    engine.set_strict_builtin_errors(false);
    // Printed text would go to the program's error output, and requests can choose it.
    engine.set_gather_prints(true);
    engine.set_policy_length_config(lengths());
    engine
}

/// An engine with all policies in words that it can read.
fn first_engine(folders: &[Folder], problems: &mut Vec<LoadProblem>, progress: &dyn Fn(&str)) -> Engine {
    let mut engine = empty_engine();
    for (folder, file) in folders.iter().flat_map(|folder| folder.policies.iter().map(move |file| (folder, file))) {
        progress(&file.path);
        if let Err(message) = check_nesting(&file.text)
            && !syntax::is_shallow_template(&file.text)
        {
            problems.push(LoadProblem::of(&file.bundle, format!("{}:{message}", file.path)));
            continue;
        }
        let text = rewrite(&file.path, &file.text, file.is_v0).unwrap_or_else(|| file.text.clone());
        add_policy(&mut engine, file, text, problems);
        if let (Some(roots), Some(module)) = (&folder.roots, engine.get_modules().last()) {
            let package = package_of(module).get(1..).unwrap_or_default().join("/");
            if !covers(roots, &package) {
                let problem =
                    format!("{}: its package {package:?} is under none of the roots of the bundle", file.path);
                problems.push(LoadProblem::of(&file.bundle, problem));
            }
        }
    }
    engine
}

/// An engine with the modules of all files, some of them changed.
fn engine_with(
    modules: &[Ref<Module>],
    folders: &[Folder],
    texts: &NewTexts,
    problems: &mut Vec<LoadProblem>,
) -> Engine {
    let mut engine = empty_engine();
    let files = folders.iter().flat_map(|folder| &folder.policies);
    for (place, (module, file)) in modules.iter().zip(files).enumerate() {
        let text = texts.get(&place).unwrap_or(module.package.span.source.contents());
        add_policy(&mut engine, file, text.clone(), problems);
    }
    engine
}

fn add_policy(engine: &mut Engine, file: &SourceFile, text: String, problems: &mut Vec<LoadProblem>) {
    engine.set_rego_v0(file.is_v0);
    if let Err(error) = engine.add_policy(file.path.clone(), text) {
        problems.push(LoadProblem::of(&file.bundle, parse_message(&file.path, &error.to_string())));
    }
}

/// `file:line: what is wrong` from regorus' picture of the source:
///
/// ```text
/// --> policies/a.rego:3:7
///   |
/// 3 | allow if {
///   |       ^
/// error: expecting …
/// ```
pub(crate) fn parse_message(path: &str, text: &str) -> String {
    let position = text
        .lines()
        .find_map(|l| l.trim_start().strip_prefix("-->"))
        .and_then(|l| l.trim().strip_prefix(path))
        .and_then(|rest| rest.strip_prefix(':'))
        .and_then(|rest| rest.split(':').next())
        .filter(|line| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()));
    let what = text
        .lines()
        .find_map(|l| l.trim_start().strip_prefix("error:"))
        .map_or_else(|| text.lines().next_back().unwrap_or(text).trim(), str::trim);
    let bare = what.strip_prefix(path).map_or(what, |w| w.trim_start_matches(':').trim_start());
    match position {
        Some(line) => format!("{path}:{line}: {bare}"),
        None => format!("{path}: {bare}"),
    }
}

fn add_data(engine: &mut Engine, mount: &[String], file: &SourceFile, problems: &mut Vec<LoadProblem>) {
    let parsed = if file.path.ends_with(".json") {
        Value::from_json_str(&file.text).map_err(|e| e.to_string())
    } else {
        serde_saphyr::from_str::<serde_json::Value>(&file.text).map(Value::from).map_err(|e| e.to_string())
    };
    let mut value = match parsed {
        Ok(value) => value,
        Err(message) => {
            problems.push(LoadProblem::of(&file.bundle, format!("{}: {message}", file.path)));
            return;
        }
    };
    if value.as_object().is_err() {
        problems
            .push(LoadProblem::of(&file.bundle, format!("{}: the top of a data file must be an object", file.path)));
        return;
    }
    for name in mount.iter().rev() {
        let mut outer = regorus::value::Object::new();
        outer.insert(Value::from(name.as_str()), value);
        value = outer.into_value();
    }
    if let Err(error) = engine.add_data(value) {
        problems
            .push(LoadProblem::of(&file.bundle, format!("{}: conflicts with another data file: {error}", file.path)));
    }
}
