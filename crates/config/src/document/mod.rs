//! A configuration document: one file, or a folder of them, as one tree.

mod files;
mod locate;
mod merge;

use std::path::{Path as FilePath, PathBuf};

use serde::de::DeserializeOwned;

use self::merge::Twice;
use crate::path::Path;
use crate::problems::Problems;
use crate::read::{self, Omitted};
use crate::report::{Finding, Report};
use crate::tree::{self, Fault, Kind, Mark, Node};

/// A configuration as written, with all that was found wrong with it so far.
///
/// ```text
/// Document::load ──► read::<Config>() ──► Config::compile(…, &mut Problems) ──► report(&Problems)
///   YAML faults         wrong shapes          wrong meanings                      one list, by line
/// ```
#[derive(Debug)]
pub struct Document {
    files: Vec<PathBuf>,
    base: PathBuf,
    root: Node,
    omitted: Omitted,
    findings: Vec<Finding>,
    incomplete: bool,
}

impl Document {
    /// Reads a file, or all `*.yaml` and `*.yml` files of a folder in the order of their names. What is wrong with
    /// them is kept for [`Document::report`].
    pub fn load(path: &FilePath) -> Self {
        let mut findings = Vec::new();
        let files = files::list(path, &mut findings);
        let texts: Vec<(PathBuf, String)> =
            files.into_iter().filter_map(|file| files::read(&file, &mut findings).map(|text| (file, text))).collect();
        let base = if path.is_dir() { path } else { path.parent().unwrap_or(FilePath::new("")) };
        let incomplete = !findings.is_empty();
        let mut document = Self::from_texts(base, texts);
        document.incomplete |= incomplete;
        document.findings.extend(findings);
        document
    }

    /// A document from texts, each with the name it is reported under.
    pub fn from_texts(base: &FilePath, texts: Vec<(PathBuf, String)>) -> Self {
        let (mut faults, mut next_id, mut roots) = (Vec::new(), 0, Vec::new());
        for (index, (_, text)) in texts.iter().enumerate() {
            let Some(root) = tree::parse(text, index, &mut next_id, &mut faults) else { continue };
            let is_map = matches!(root.kind, Kind::Map(_));
            if !is_map && !root.is_null() {
                faults.push(Fault { mark: root.mark, message: "a configuration is a map of keys".into(), fatal: true });
            } else if is_map {
                roots.push(root);
            }
        }
        let mut twice = Vec::new();
        let root = merge::merge(roots, &mut next_id, &mut twice);
        let files: Vec<PathBuf> = texts.into_iter().map(|(file, _)| file).collect();
        let incomplete = faults.iter().any(|f| f.fatal);
        faults.extend(twice.into_iter().map(|t| written_twice(t, &files)));
        let mut document =
            Self { files, base: base.to_owned(), root, omitted: Omitted::default(), findings: Vec::new(), incomplete };
        let findings: Vec<_> =
            faults.into_iter().map(|f| document.finding(f.mark, &Path::root(), f.message, false)).collect();
        document.findings = findings;
        document
    }

    /// The files it was read from.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The folder that relative paths in the document start from.
    pub fn base(&self) -> &FilePath {
        &self.base
    }

    /// True when the document has this outermost key.
    pub fn says(&self, key: &str) -> bool {
        self.root.entry(key).is_some()
    }

    /// True when some file could not be read at all, so that nothing can be said about what refers to it.
    pub const fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// The document as a typed value. Wrong parts are noted and left out, so that what is left can be compiled
    /// and *its* problems reported in the same run; check [`Report::is_ok`] before using it for anything else.
    /// `None` when nothing is left.
    pub fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut mistakes = Vec::new();
        let value = read::read(&self.root, &mut self.omitted, &mut mistakes);
        for mistake in mistakes {
            let finding = self.finding(mistake.mark, &mistake.path, mistake.message, false);
            self.findings.push(finding);
        }
        value
    }

    /// Everything found so far and `problems`, located, by file and line. Problems that only follow from a part that
    /// was left out are dropped.
    pub fn report(&self, problems: &Problems) -> Report {
        let mut findings = self.findings.clone();
        for problem in problems.iter() {
            let place = locate::locate(&self.root, &self.omitted, &problem.path);
            if place.is_follow_up(&self.omitted, &problem.message) {
                continue;
            }
            findings.push(self.finding(place.mark, &place.path, problem.message.clone(), problem.warning));
        }
        Report::new(findings)
    }

    fn finding(&self, mark: Mark, path: &Path, message: String, warning: bool) -> Finding {
        Finding {
            file: self.files.get(mark.file).cloned().unwrap_or_default(),
            line: mark.line,
            column: mark.column,
            path: path.to_string(),
            message,
            warning,
        }
    }
}

fn written_twice(twice: Twice, files: &[PathBuf]) -> Fault {
    let first = files.get(twice.first.file).and_then(|f| f.file_name()).unwrap_or_default();
    let message = format!(
        "key `{}` is written in two files, first in {} line {}",
        twice.key,
        first.to_string_lossy(),
        twice.first.line
    );
    Fault { mark: twice.mark, message, fatal: false }
}
