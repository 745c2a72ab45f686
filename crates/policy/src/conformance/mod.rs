//! OPA's own cases, run on both machines. Long: `cargo xtask conformance rego`.
//!
//! `tests/conformance/failing.txt` names every case that does not pass, with the reason; it may only shrink. A case that is not named
//! there and fails, and one that is named and passes, both fail the run.

mod case;
mod differential;
mod report;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use case::{Case, Outcome};

/// The cases, their folder and how they ended.
struct Ran {
    folder: String,
    case: Case,
    outcome: Outcome,
}

#[test]
#[ignore = "long, and needs OPA's cases: cargo xtask conformance rego"]
fn opa_cases() {
    let root = PathBuf::from(env::var("GATEHOUSE_OPA_CASES").expect("GATEHOUSE_OPA_CASES is the folder `testdata`"));
    let only = env::var("GATEHOUSE_OPA_ONLY").ok();
    // Deep recursion of the engine on some cases; workers have such stacks too.
    let run = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        let ran: Vec<Ran> =
            ["v1", "v0"].into_iter().flat_map(|version| suite(&root, version, only.as_deref())).collect();
        report::write(&ran);
        only.map_or_else(|| report::judge(&ran), |_| Vec::new())
    });
    let wrong = run.unwrap().join().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn suite(root: &Path, version: &'static str, only: Option<&str>) -> Vec<Ran> {
    let mut files: Vec<PathBuf> = Vec::new();
    collect(&root.join(version), &mut files);
    files.sort();
    let mut ran = Vec::new();
    for file in files {
        let folder = file.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
        if only.is_some_and(|only| !folder.starts_with(only)) {
            continue;
        }
        for case in case::read(&file) {
            let outcome = case.run(version == "v0");
            ran.push(Ran { folder: format!("{version}/{folder}"), case, outcome });
        }
    }
    ran
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// By folder: passed, failed.
fn by_folder(ran: &[Ran]) -> BTreeMap<&str, (usize, usize)> {
    let mut folders: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in ran {
        let (passed, failed) = folders.entry(&one.folder).or_default();
        if one.outcome.passed() { *passed += 1 } else { *failed += 1 }
    }
    folders
}
