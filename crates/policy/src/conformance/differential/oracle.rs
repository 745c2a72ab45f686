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
            match self.evaluate(units, &left) {
                Ok(values) => {
                    return left.iter().map(|n| (*n, values.get(&format!("u{n}")).cloned())).collect();
                }
                Err(wrong) => wrong.iter().for_each(|number| {
                    left.remove(number);
                }),
            }
        }
        BTreeMap::new()
    }

    /// The whole document, or the units that are to blame that there is none.
    fn evaluate(&self, units: &[Unit], chosen: &BTreeSet<usize>) -> Result<serde_json::Map<String, Json>, Vec<usize>> {
        let mut text = "package gen\n\nimport rego.v1\n\n".to_owned();
        let mut line_of = Vec::new();
        for number in chosen {
            line_of.push((text.lines().count() + 1, *number));
            text.push_str(&units[*number].text);
            text.push('\n');
        }
        let at = |name: &str| self.folder.path().join(name);
        std::fs::write(at("gen.rego"), &text).unwrap();
        let mut command = Command::new(&self.program);
        command.args(["eval", "--format", "json", "--max-errors", "1000", "--input"]).arg(at("input.json"));
        let output = command.arg("--data").arg(at("gen.rego")).arg("data.gen").output().expect("OPA runs");
        let said: Json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("OPA said {}", String::from_utf8_lossy(&output.stderr)));
        if let Some(Json::Object(values)) = said.pointer("/result/0/expressions/0/value") {
            return Ok(values.clone());
        }
        let errors = said["errors"].as_array().cloned().unwrap_or_default();
        let rows = errors.iter().filter_map(|error| usize::try_from(error["location"]["row"].as_u64()?).ok());
        let wrong: Vec<usize> =
            rows.filter_map(|row| line_of.iter().rfind(|(line, _)| *line <= row).map(|(_, number)| *number)).collect();
        assert!(!wrong.is_empty(), "OPA cannot evaluate the rules, and blames none of them: {said}");
        Err(wrong)
    }
}
