//! What Gatehouse says, and whether it is the same.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::Value;
use serde_json::Value as Json;

use super::generate::Unit;
use crate::analysis::Graph;
use crate::bundle::Bundle;
use crate::engine::{Compiled, Failure, Limits, Machine, compile};
use crate::load::{Folder, parse};

/// An answer.
#[derive(Debug)]
pub(super) enum Said {
    Value(Value),
    /// What kept it from compiling.
    Refused(String),
    Failed(Failure),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(Value::Undefined) => f.write_str("undefined"),
            Self::Value(value) => write!(f, "{value}"),
            Self::Refused(why) => write!(f, "does not compile: {why}"),
            Self::Failed(failure) => write!(f, "fails: {failure:?}"),
        }
    }
}

impl Said {
    pub(super) fn is(&self, wanted: Option<&Json>) -> bool {
        match (self, wanted) {
            (Self::Value(Value::Undefined), None) => true,
            (Self::Value(value), Some(wanted)) => same(value, wanted),
            _ => false,
        }
    }
}

/// The answer of the interpreter, and of the register machine where that is chosen.
pub(super) fn ask(unit: &Unit, number: usize, input: &Json) -> (Said, Option<Said>) {
    let machines = catch_unwind(AssertUnwindSafe(|| machines(unit, number)));
    let (interpreter, machine) = match machines {
        Ok(Ok(machines)) => machines,
        Ok(Err(why)) => return (Said::Refused(why), None),
        Err(_) => return (Said::Refused("a panic".to_owned()), None),
    };
    let run = |compiled: &Compiled| match Machine::new(compiled) {
        Ok(mut machine) => machine.run(Value::from(input.clone()), LIMITS).map_or_else(Said::Failed, Said::Value),
        Err(failure) => Said::Failed(failure),
    };
    (run(&interpreter), machine.as_ref().map(run))
}

const LIMITS: Limits = Limits { time: Duration::from_secs(5), instructions: 10_000_000 };

/// As policies are loaded.
fn machines(unit: &Unit, number: usize) -> Result<(Compiled, Option<Compiled>), String> {
    let policies = vec![("gen.rego".to_owned(), format!("package gen\n\nimport rego.v1\n\n{}", unit.text), false)];
    let mut bundle = Bundle { policies, data: Json::Object(Default::default()), ..Bundle::default() };
    bundle.manifest.roots = Some(vec![String::new()]);
    let path: Vec<String> = ["data", "gen", &format!("u{number}")].map(str::to_owned).into();
    let mut problems = Vec::new();
    let folders = [Folder::of_bundle("b", &bundle)];
    let mut sources = parse(&folders, std::slice::from_ref(&path), &mut problems, &|_| ());
    let graph = Graph::new(sources.engine.get_modules());
    let wrong = problems.into_iter().map(|problem| problem.message).chain(graph.problems());
    if let Some(first) = wrong.into_iter().next() {
        return Err(first);
    }
    let mut reach = graph.reach(&path);
    let lookup = format!("decision := data[\"gen\"][\"u{number}\"]");
    let chosen = compile(&sources, &lookup, &reach)?.0;
    if matches!(chosen, Compiled::Interpreter { .. }) {
        return Ok((chosen, None));
    }
    reach.rvm_blockers.insert("to be compared".to_owned());
    Ok((compile(&sources, &lookup, &reach)?.0, Some(chosen)))
}

/// Sets are lists to JSON, in an order that means nothing; numbers are equal however they are written.
fn same(value: &Value, wanted: &Json) -> bool {
    match (value, wanted) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(a), Json::Bool(b)) => a == b,
        (Value::String(a), Json::String(b)) => a.as_ref() == b.as_str(),
        (Value::Number(_), Json::Number(b)) => same_number(&value.to_string(), &b.to_string()),
        (Value::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Set(a), Json::Array(b)) => a.len() == b.len() && a.iter().all(|a| b.iter().any(|b| same(a, b))),
        (Value::Object(a), Json::Object(b)) => {
            let field = |(key, a): (&Value, &Value)| b.get(&key_of(key)).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(field)
        }
        _ => false,
    }
}

/// Keys that are no texts are JSON to JSON.
fn key_of(key: &Value) -> String {
    if let Value::String(text) = key { text.as_ref().to_owned() } else { key.to_string() }
}

fn same_number(a: &str, b: &str) -> bool {
    let is_whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_whole(a) && is_whole(b) {
        return a == b;
    }
    // OPA computes fractions with more digits.
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b || (a - b).abs() <= a.abs() * 1e-14)
}
