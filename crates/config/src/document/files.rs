//! Which files belong to a configuration.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::report::Finding;

/// The largest file that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The most files in one folder.
const MAX_FILES: usize = 1000;

/// The files of `path`. In a folder, names that start with a dot are no configuration: editors keep their copies
/// there, and Kubernetes its `..data` link and the dated folder behind it.
pub(super) fn list(path: &Path, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            findings.push(fault(path, format!("cannot list this folder: {error}")));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| is_ours(p)).collect();
    files.sort();
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_gone| file.clone())));
    if files.is_empty() {
        findings.push(fault(path, "no *.yaml or *.yml file in this folder".to_owned()));
    }
    if files.len() > MAX_FILES {
        findings.push(fault(path, format!("more than {MAX_FILES} files in this folder")));
        files.truncate(MAX_FILES);
    }
    files
}

fn is_ours(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
    let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    !hidden && yaml && !path.is_dir()
}

/// The text of a file.
pub(super) fn read(path: &Path, findings: &mut Vec<Finding>) -> Option<String> {
    match read_limited(path) {
        Ok(text) => Some(text),
        Err(message) => {
            findings.push(fault(path, message));
            None
        }
    }
}

fn read_limited(path: &Path) -> Result<String, String> {
    let explain = |error: std::io::Error| format!("cannot read this file: {error}");
    let file = fs::File::open(path).map_err(explain)?;
    if !file.metadata().map_err(explain)?.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(explain)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("larger than {} MiB", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count();
        format!("not UTF-8 text (line {line})")
    })
}

fn fault(path: &Path, message: String) -> Finding {
    Finding { file: path.to_owned(), line: 0, column: 0, path: String::new(), message, warning: false }
}
