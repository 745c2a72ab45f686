//! One case of OPA's suite.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context as _, bail};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::builtins::{OnFailure, install_in_engine, install_in_program};
use crate::load::NewTexts;

/// Fields as OPA's `TestCase` has them (v1/test/cases/cases.go).
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) note: String,
    query: String,
    #[serde(default)]
    modules: Vec<String>,
    data: Option<Json>,
    input: Option<Json>,
    input_term: Option<String>,
    want_defined: Option<bool>,
    want_result: Option<Vec<Json>>,
    want_error_code: Option<String>,
    want_error: Option<String>,
    #[serde(default)]
    sort_bindings: bool,
    #[serde(default)]
    strict_error: bool,
}

#[derive(Debug, Deserialize)]
struct File {
    cases: Vec<Case>,
}

/// How a case ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `None` when the interpreter answered as OPA does, else what was wrong.
    pub(super) interpreter: Option<String>,
    /// The same for the register machine, where it compiles the query.
    pub(super) rvm: Rvm,
}

#[derive(Debug)]
pub(super) enum Rvm {
    /// Not chosen for this case.
    NotServed,
    Agrees,
    /// It says something else than the interpreter.
    Differs(String),
}

impl Outcome {
    pub(super) fn passed(&self) -> bool {
        self.interpreter.is_none()
    }
}

/// The cases of a file.
pub(super) fn read(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    match serde_saphyr::from_str::<File>(&text) {
        Ok(file) => file.cases,
        Err(error) => panic!("{}: {error}", file.display()),
    }
}

impl Case {
    pub(super) fn run(&self, v0: bool) -> Outcome {
        let interpreter = catch_unwind(AssertUnwindSafe(|| self.interpret(v0)));
        let found = match &interpreter {
            Ok(result) => self.judge(result),
            Err(_) => Some("panicked".to_owned()),
        };
        let rvm = match (&interpreter, self.single_path()) {
            (Ok(result), Some((path, variable))) => self.compare(v0, path, variable, result),
            _ => Rvm::NotServed,
        };
        Outcome { interpreter: found, rvm }
    }

    /// With the modules as the loader puts them.
    fn engine(&self, v0: bool) -> anyhow::Result<Engine> {
        let mut engine = self.engine_with(v0, &NewTexts::new())?;
        // A query may look at anything; only where it names one rule is it known what nobody sees.
        let Some((path, _)) = self.single_path() else { return Ok(engine) };
        let path = path.split('.').map(str::to_owned).collect();
        let entries = [path];
        let data = engine.get_data();
        let exposed = crate::load::syntax::exposed(engine.get_modules(), &entries, &data);
        if !exposed.is_empty() {
            bail!(exposed.join("; "));
        }
        let texts = crate::load::idiom::rewrite(engine.get_modules(), &entries);
        if texts.is_empty() { Ok(engine) } else { self.engine_with(v0, &texts) }
    }

    fn engine_with(&self, v0: bool, instead: &NewTexts) -> anyhow::Result<Engine> {
        let mut engine = Engine::new();
        engine.set_rego_v0(v0);
        engine.set_gather_prints(true);
        engine.set_strict_builtin_errors(self.strict_error);
        engine.set_policy_length_config(crate::load::lengths());
        let on_failure = if self.strict_error { OnFailure::Error } else { OnFailure::Undefined };
        install_in_engine(&mut engine, on_failure)?;
        if let Some(data) = &self.data {
            engine.add_data(Value::from(data.clone()))?;
        }
        if let Some(input) = &self.input {
            engine.set_input(Value::from(input.clone()));
        }
        if let Some(term) = &self.input_term {
            let results = engine.clone().eval_query(term.clone(), false)?;
            let value = results.result.last().and_then(|r| r.expressions.last()).map(|e| e.value.clone());
            engine.set_input(value.context("the input term has no value")?);
        }
        for (number, module) in self.modules.iter().enumerate() {
            let name = format!("module-{number}.rego");
            let rewritten = instead.get(&number).cloned().or_else(|| crate::load::rewrite(&name, module, v0));
            let text = rewritten.unwrap_or_else(|| module.clone());
            engine.add_policy(name, text)?;
        }
        Ok(engine)
    }

    fn interpret(&self, v0: bool) -> anyhow::Result<Vec<Json>> {
        let mut engine = self.engine(v0)?;
        let results = engine.eval_query(self.rewritten_query(), false)?;
        results.result.iter().map(|result| json(&result.bindings)).collect()
    }

    /// The query as the loader would put it, were it the body of a rule.
    fn rewritten_query(&self) -> String {
        let (head, tail) = ("package query\n\nquery if {\n", "\n}\n");
        let text = crate::load::rewrite("query", &format!("{head}{}{tail}", self.query), false);
        let body = text.as_deref().and_then(|text| text.strip_prefix(head)?.strip_suffix(tail));
        body.unwrap_or(&self.query).to_owned()
    }

    /// What is wrong with an answer.
    fn judge(&self, answer: &anyhow::Result<Vec<Json>>) -> Option<String> {
        let wants_error = self.want_error.is_some() || self.want_error_code.is_some();
        match answer {
            Err(_) if wants_error => None,
            Err(error) => Some(format!("error: {}", last_line(&format!("{error:#}")))),
            Ok(results) if wants_error => Some(format!("no error, but {}", show(results))),
            Ok(results) => match (&self.want_result, self.want_defined) {
                (Some(want), _) => {
                    let said = self.normal(results);
                    let want = self.normal(want);
                    (said != want).then(|| format!("said {}, wanted {}", show(&said), show(&want)))
                }
                (None, Some(defined)) => (results.is_empty() == defined).then(|| format!("said {}", show(results))),
                (None, None) => None,
            },
        }
    }

    /// Results in an order that does not matter, without variables of the compiler. Numbers are equal however they are written.
    fn normal(&self, results: &[Json]) -> Vec<Json> {
        let mut results: Vec<Json> = results.iter().cloned().map(whole_numbers).collect();
        for result in &mut results {
            if let Json::Object(bindings) = result {
                bindings.retain(|name, _| !name.starts_with("__local") && !name.starts_with('$'));
                for value in bindings.values_mut() {
                    if let (true, Json::Array(items)) = (self.sort_bindings, value) {
                        items.sort_by_key(ToString::to_string);
                    }
                }
            }
        }
        results.retain(|result| self.want_result.as_ref().is_none_or(|want| want.is_empty()) || *result != Json::Null);
        results.sort_by_key(ToString::to_string);
        results
    }

    /// `data.a.b = x`: what the register machine can be asked.
    fn single_path(&self) -> Option<(&str, &str)> {
        let (path, variable) = self.query.split_once(" = ")?;
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
        (path.starts_with("data.")
            && plain(path)
            && plain(variable)
            && !variable.starts_with("data.")
            && variable != "input")
            .then_some((path, variable))
    }

    fn compare(&self, v0: bool, path: &str, variable: &str, answer: &anyhow::Result<Vec<Json>>) -> Rvm {
        let Some(said) = catch_unwind(AssertUnwindSafe(|| self.machine(v0, path))).ok().flatten() else {
            return Rvm::NotServed;
        };
        let same = match (answer, &said) {
            (Ok(results), Ok(None)) => results.is_empty(),
            (Ok(results), Ok(Some(value))) => {
                results.len() == 1 && results.first().and_then(|bindings| bindings.get(variable)) == Some(value)
            }
            // Either denies.
            (Err(_), Err(_) | Ok(None)) => true,
            (Ok(results), Err(_)) => results.is_empty(),
            (Err(_), Ok(Some(_))) => false,
        };
        if same { Rvm::Agrees } else { Rvm::Differs(format!("RVM {said:?}, interpreter {answer:?}")) }
    }

    /// In words that the register machine's compiler knows.
    fn dispatching(&self, mut engine: Engine, v0: bool) -> anyhow::Result<Engine> {
        let texts = crate::load::dispatch::rewrite(engine.get_modules());
        if texts.is_empty() {
            return Ok(engine);
        }
        let mut fresh = Engine::new();
        fresh.set_rego_v0(v0);
        fresh.set_gather_prints(true);
        fresh.set_policy_length_config(crate::load::lengths());
        for (place, module) in engine.get_modules().iter().enumerate() {
            let source = &module.package.span.source;
            let text = texts.get(&place).unwrap_or(source.contents());
            fresh.add_policy(source.file().clone(), text.clone())?;
        }
        if let Some(data) = &self.data {
            fresh.add_data(Value::from(data.clone()))?;
        }
        Ok(fresh)
    }

    /// The value of a rule on the register machine; `None` where it is not chosen.
    fn machine(&self, v0: bool, path: &str) -> Option<anyhow::Result<Option<Json>>> {
        let mut engine = self.engine(v0).ok()?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        let graph = crate::analysis::Graph::new(engine.get_modules());
        if !graph.problems().is_empty() || !graph.means_rules(&path) || !graph.reach(&path).rvm_blockers.is_empty() {
            return None;
        }
        let data = engine.get_data();
        engine = self.dispatching(engine, v0).ok()?;
        let rule = path.join(".");
        let module = format!("package gatehouse_entry\n\ndecision := {rule}\n");
        engine.add_policy("entry".to_owned(), module).ok()?;
        let policy = engine.compile_with_entrypoint(&"data.gatehouse_entry.decision".into()).ok()?;
        let program = Compiler::compile_from_policy(&policy, &["data.gatehouse_entry.decision"]).ok()?;
        let mut program = std::sync::Arc::unwrap_or_clone(program);
        program.validate_limits().ok()?;
        if program.needs_runtime_recursion_check {
            return None;
        }
        if program.resolved_builtins.len() != program.builtin_info_table.len() {
            program.initialize_resolved_builtins().ok()?;
        }
        install_in_program(&mut program);
        let mut machine = RegoVM::new();
        machine.load_program(program.into());
        machine.set_strict_builtin_errors(self.strict_error);
        machine.set_data(data).ok()?;
        if self.input_term.is_some() {
            return None;
        }
        machine.set_input(self.input.clone().map_or(Value::Undefined, Value::from));
        Some(match machine.execute_entry_point_by_index(0) {
            Ok(Value::Undefined) => Ok(None),
            Ok(value) => json(&value).map(Some),
            Err(error) => Err(error.into()),
        })
    }
}

/// As JSON, where sets are arrays.
fn json(value: &Value) -> anyhow::Result<Json> {
    if *value == Value::Undefined {
        bail!("undefined");
    }
    Ok(serde_json::from_str(&value.to_string())?)
}

/// `3.0` is `3`, as it is to OPA.
fn whole_numbers(value: Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => Json::from(float as i64),
            _ => Json::Number(number),
        },
        Json::Array(items) => items.into_iter().map(whole_numbers).collect(),
        Json::Object(fields) => fields.into_iter().map(|(name, field)| (name, whole_numbers(field))).collect(),
        Json::Null | Json::Bool(_) | Json::String(_) => value,
    }
}

fn show(results: &[Json]) -> String {
    let text = serde_json::to_string(results).unwrap_or_default();
    text.chars().take(300).collect()
}

fn last_line(text: &str) -> &str {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(text)
}
