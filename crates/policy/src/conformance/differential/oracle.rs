//! What OPA says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;

use super::generate::Unit;

/// Rules that OPA refuses are taken out, and the others asked again.
const ATTEMPTS: usize = 12;

pub(super) struct Oracle {
    program: PathBuf,
    folder: TempDir,
}

impl Oracle {
    pub(super) fn new(input: &Json) -> Self {
        let program = std::env::var_os("GATEHOUSE_OPA").expect("GATEHOUSE_OPA is a program of OPA").into();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("input.json"), input.to_string()).unwrap();
        Self { program, folder }
    }

    /// The value of each unit that OPA takes, by its position; `None` where it is undefined.
    pub(super) fn ask(&self, units: &[Unit]) -> BTreeMap<usize, Option<Json>> {
        let mut left: BTreeSet<usize> = (0..units.len()).collect();
        for _ in 0..ATTEMPTS {
            let module = Module::new(units, &left);
            std::fs::write(self.file("gen.rego"), &module.text).unwrap();
            // Only `check` tells all errors at once.
            let checked = self.run(&["check", "--max-errors", "1000"]);
            let said = if checked.is_null() { self.evaluate() } else { checked };
            if let Some(Json::Object(values)) = said.pointer("/result/0/expressions/0/value") {
                return left.iter().map(|n| (*n, values.get(&format!("u{n}")).cloned())).collect();
            }
            if said == Json::Bool(false) {
                return BTreeMap::new();
            }
            for number in module.blamed(&said) {
                left.remove(&number);
            }
        }
        panic!("OPA still refuses some rules after {ATTEMPTS} attempts")
    }

    fn evaluate(&self) -> Json {
        let input = self.file("input.json");
        self.run(&["eval", "--input", input.to_str().unwrap(), "data.gen", "--data"])
    }

    /// What OPA says about the module; null when it says nothing.
    fn run(&self, arguments: &[&str]) -> Json {
        let mut command = Command::new(&self.program);
        let output = command.args(&arguments[..1]).args(["--format", "json"]).args(&arguments[1..]);
        let output = output.arg(self.file("gen.rego")).output().expect("OPA runs");
        let said = if output.stdout.trim_ascii().is_empty() { &output.stderr } else { &output.stdout };
        // Behind the errors as JSON may stand the same as text.
        match serde_json::Deserializer::from_slice(said).into_iter().next() {
            None => Json::Null,
            // OPA ends in a panic on some texts that are no UTF-8.
            Some(Err(_)) => {
                let first = String::from_utf8_lossy(said).lines().next().unwrap_or_default().to_owned();
                println!("OPA itself ended: {first}");
                Json::Bool(false)
            }
            Some(Ok(said)) => said,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Units in one text.
struct Module {
    text: String,
    /// The first line of each unit.
    line_of: Vec<(usize, usize)>,
}

impl Module {
    fn new(units: &[Unit], chosen: &BTreeSet<usize>) -> Self {
        let mut text = "package gen\n\nimport rego.v1\n\n".to_owned();
        let mut line_of = Vec::new();
        for number in chosen {
            line_of.push((text.lines().count() + 1, *number));
            text.push_str(&units[*number].text);
            text.push('\n');
        }
        Self { text, line_of }
    }

    /// The units that errors are about.
    fn blamed(&self, said: &Json) -> Vec<usize> {
        let errors = said["errors"].as_array().cloned().unwrap_or_default();
        let rows = errors.iter().filter_map(|error| usize::try_from(error["location"]["row"].as_u64()?).ok());
        let unit_at = |row: usize| self.line_of.iter().rfind(|(line, _)| *line <= row).map(|(_, number)| *number);
        let blamed: Vec<usize> = rows.filter_map(unit_at).collect();
        assert!(!blamed.is_empty() || errors.is_empty(), "OPA blames no rule: {said}");
        blamed
    }
}
