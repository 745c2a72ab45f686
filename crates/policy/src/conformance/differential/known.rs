//! Differences that are known.

use std::path::{Path, PathBuf};

use regex::Regex;

/// Lines `rule # what OPA says # what Gatehouse says # reason`: three patterns, each of which has to be found, and why it is so.
#[derive(Default)]
pub(super) struct Known(Vec<([Regex; 3], String)>);

impl Known {
    pub(super) fn file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/known.txt")
    }

    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string(Self::file()).unwrap();
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        Self(lines.map(Self::line).collect())
    }

    fn line(line: &str) -> ([Regex; 3], String) {
        let parts: Vec<&str> = line.split(" # ").map(str::trim).collect();
        let [rule, opa, gatehouse, reason] = parts.as_slice() else { panic!("not four parts: {line}") };
        let pattern = |text: &str| Regex::new(text).unwrap_or_else(|error| panic!("{line}: {error}"));
        ([rule, opa, gatehouse].map(|text| pattern(text)), (*reason).to_owned())
    }

    /// Why a rule means something else here.
    pub(super) fn reason(&self, rule: &str, opa: &str, gatehouse: &str) -> Option<String> {
        let met = |patterns: &[Regex; 3]| patterns.iter().zip([rule, opa, gatehouse]).all(|(p, text)| p.is_match(text));
        self.0.iter().find(|(patterns, _)| met(patterns)).map(|(_, reason)| reason.clone())
    }
}
