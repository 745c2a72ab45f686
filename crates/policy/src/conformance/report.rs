//! What is printed, and what may fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::case::Rvm;
use super::{Ran, by_folder};

/// Folders that the share is counted without: not asked of an engine for Envoy.
const OUT_OF_SCOPE: [&str; 2] = ["v1/graphql", "v1/providers-aws"];

/// Prints the table by folder and writes every failure to `$GATEHOUSE_CONFORMANCE_OUT`.
pub(super) fn write(ran: &[Ran]) {
    for (folder, (passed, failed)) in by_folder(ran) {
        println!("{folder:<45}{passed:>6} passed {failed:>5} failed");
    }
    for version in ["v1", "v0"] {
        let (all, passed, served) = counts(ran, version);
        let share = 100.0 * f64::from(u32::try_from(passed).unwrap()) / f64::from(u32::try_from(all.max(1)).unwrap());
        println!("{version}: {passed} of {all} pass ({share:.1} %); the register machine serves {served}");
    }
    if let Some(file) = std::env::var_os("GATEHOUSE_CONFORMANCE_OUT") {
        let failures = ran.iter().filter_map(|one| Some((one, one.outcome.interpreter.as_ref()?)));
        let lines = failures.map(|(one, why)| format!("{}\t{}\t{why}", one.folder, one.case.note));
        std::fs::write(file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    }
}

/// Cases in scope, those that pass, and those that the register machine serves.
fn counts(ran: &[Ran], version: &str) -> (usize, usize, usize) {
    let scope = || ran.iter().filter(|one| one.folder.starts_with(version) && !is_out_of_scope(one));
    let served = scope().filter(|one| !matches!(one.outcome.rvm, Rvm::NotServed)).count();
    (scope().count(), scope().filter(|one| one.outcome.passed()).count(), served)
}

fn is_out_of_scope(one: &Ran) -> bool {
    OUT_OF_SCOPE.contains(&one.folder.as_str())
}

/// Everything that is not as the list says.
pub(super) fn judge(ran: &[Ran]) -> Vec<String> {
    let known = known();
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    for one in ran {
        if let Rvm::Differs(how) = &one.outcome.rvm {
            wrong.push(format!("{} {}: {how}", one.folder, one.case.note));
        }
        if is_out_of_scope(one) {
            continue;
        }
        let name = format!("{} {}", one.folder, one.case.note);
        let failed = one.outcome.interpreter.as_ref();
        if let Some(why) = failed.filter(|_| !known.contains_key(&name)) {
            wrong.push(format!("{name}: {why}"));
        }
        *seen.entry(name).or_default() |= failed.is_some();
    }
    for name in known.keys() {
        match seen.get(name) {
            Some(true) => {}
            Some(false) => wrong.push(format!("{name}: passes; take it out of {}", list().display())),
            None => wrong.push(format!("{name}: there is no such case")),
        }
    }
    wrong.extend(page_is_old(ran, &known));
    if !wrong.is_empty() {
        let mut first = String::new();
        let _infallible = write!(first, "{} cases are not as {} says:", wrong.len(), list().display());
        wrong.insert(0, first);
    }
    wrong
}

/// The page for people, made from the run: what passes, and what differs why.
fn page(ran: &[Ran], known: &BTreeMap<String, String>) -> String {
    let mut page = String::from(
        "# Rego compatibility\n\nMade by `cargo xtask conformance rego` from OPA's own cases (OPA 1.22.0, `v1/test/cases/testdata`). \
         Each case runs on\nthe interpreter, and on the register machine where that one is chosen; the two never disagree.\n\n\
         | cases | pass | of | on the register machine |\n|---|---|---|---|\n",
    );
    for version in ["v1", "v0"] {
        let (all, passed, served) = counts(ran, version);
        let _infallible = writeln!(page, "| {version} | {passed} | {all} | {served} |");
    }
    page.push_str("\n`graphql.*` and `providers.aws.*` are out of scope and not counted for v1.\n\n## What differs\n\n| why | cases |\n|---|---|\n");
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for why in known.values() {
        // Single cases are listed below by name.
        let group =
            if why.starts_with("the engine differs") { "single differences of the engine, listed below" } else { why };
        *reasons.entry(group).or_default() += 1;
    }
    for (why, count) in &reasons {
        let _infallible = writeln!(page, "| {} | {count} |", why.replace('|', "\\|"));
    }
    page.push_str("\n## Single differences\n\n");
    for (name, why) in known.iter().filter(|(_, why)| why.starts_with("the engine differs")) {
        let how = why.trim_start_matches("the engine differs: ").replace('`', "'");
        let _infallible = writeln!(page, "- `{name}`: `{how}`");
    }
    page
}

fn page_is_old(ran: &[Ran], known: &BTreeMap<String, String>) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/rego-compatibility.md");
    let page = page(ran, known);
    if std::env::var_os("GATEHOUSE_WRITE_GENERATED").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    (there != page).then(|| format!("{} is old: run this with GATEHOUSE_WRITE_GENERATED=1", file.display()))
}

fn list() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/failing.txt")
}

/// Case and reason, from lines `folder note # reason`.
fn known() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(list()).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(" # ")).map(|(name, why)| (name.to_owned(), why.to_owned())).collect()
}
