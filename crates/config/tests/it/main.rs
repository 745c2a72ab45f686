//! Operators' mistakes as files, and configurations in folders, against a small section.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Document, Period, Problems, Report, SecretConfig, Size};
use serde::Deserialize;

/// A section with one value of every kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Sample {
    api_version: String,
    timeout: Period,
    body: Size,
    key: Option<SecretConfig>,
    workers: Option<std::num::NonZeroU32>,
    enabled: bool,
    tiers: BTreeMap<String, Vec<String>>,
    apis: Vec<Api>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be read into")]
struct Api {
    name: String,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    authenticate: Vec<Method>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be read into")]
enum Method {
    Anonymous,
    Jwt(String),
}

fn report(mut document: Document) -> Report {
    let _read: Option<Sample> = document.read();
    document.report(&Problems::new())
}

/// Every `bad/x.yaml` is reported exactly as `bad/x.txt` says.
#[test]
fn every_mistake_has_its_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/bad");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    cases.sort();
    assert!(cases.len() >= 15);
    let mut wrong = String::new();
    for case in cases {
        let name = PathBuf::from(case.file_name().unwrap());
        let text = String::from_utf8_lossy(&fs::read(&case).unwrap()).into_owned();
        let found = report(Document::from_texts(Path::new(""), vec![(name.clone(), text)])).to_string();
        let want = fs::read_to_string(case.with_extension("txt")).unwrap_or_default();
        if found.trim_end() != want.trim_end() {
            wrong.push_str(&format!("--- {} says\n{found}\n--- but {} wants\n{want}\n", name.display(), "its .txt"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load(path: &Path) -> String {
    report(Document::load(path)).to_string().replace(&format!("{}/", path.display()), "")
}

#[test]
fn a_folder_is_one_document() {
    let dir = folder(&[
        ("10-base.yaml", "apiVersion: x\ntiers: { free: [a] }\n"),
        ("20-orders.yml", "apiVersion: x\ntiers: { pro: [b] }\napis: [{ name: orders }]\n"),
        ("30-users.yaml", "apis: [{ name: users }]\n"),
        (".hidden.yaml", "nonsense: 1\n"),
        ("notes.txt", "nonsense\n"),
        ("deeper/other.yaml", "nonsense: 1\n"),
    ]);
    let mut document = Document::load(dir.path());
    let read: Sample = document.read().unwrap();
    assert_eq!(document.report(&Problems::new()).to_string(), "0 problems");
    assert_eq!(read.apis.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["orders", "users"]);
    assert_eq!(read.tiers.keys().collect::<Vec<_>>(), ["free", "pro"]);
    assert_eq!(document.files().len(), 3);
    assert_eq!(document.base(), dir.path());
}

#[test]
fn what_two_files_say_differently_is_located_in_both() {
    let dir =
        folder(&[("a.yaml", "timeout: 1s\ntiers:\n  free: [a]\n"), ("b.yaml", "timeout: 2s\ntiers: { free: 5 }\n")]);
    assert_eq!(
        load(dir.path()),
        "b.yaml:1:1: key `timeout` is written in two files, first in a.yaml line 1\n\
         b.yaml:2:10: key `free` is written in two files, first in a.yaml line 3\n2 problems"
    );
}

#[test]
fn mistakes_of_all_files_come_together() {
    let dir = folder(&[("a.yaml", "a: b: c\n"), ("b.yaml", "workers: 0\n"), ("c.yaml", "enabled: maybe\n")]);
    let found = load(dir.path());
    assert!(found.contains("a.yaml:1:5: not valid YAML"), "{found}");
    assert!(
        found.contains("b.yaml:1:10: workers: expected a whole number of 1 or more, found the number 0"),
        "{found}"
    );
    assert!(found.contains("c.yaml:1:10: enabled: expected `true` or `false`, found text"), "{found}");
    assert!(found.ends_with("3 problems"), "{found}");
}

#[cfg(unix)]
#[test]
fn a_mounted_config_map_is_read_once() {
    let dir = folder(&[("..2026/gatehouse.yaml", "apis: [{ name: a }]\n")]);
    std::os::unix::fs::symlink("..2026", dir.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/gatehouse.yaml", dir.path().join("gatehouse.yaml")).unwrap();
    let mut document = Document::load(dir.path());
    let read: Sample = document.read().unwrap();
    assert_eq!(read.apis.len(), 1);
    assert_eq!(document.files().len(), 1);
}

#[test]
fn what_is_not_there_says_so() {
    let dir = folder(&[]);
    assert!(load(dir.path()).contains("no *.yaml or *.yml file in this folder"));
    assert!(load(&dir.path().join("none.yaml")).contains("cannot read this file"));
}

#[test]
fn a_file_that_is_too_large_or_no_text_is_refused() {
    let dir = folder(&[("large.yaml", &"#".repeat(17 << 20))]);
    fs::write(dir.path().join("bytes.yaml"), b"a: 1\nb: \xff\n").unwrap();
    let found = load(dir.path());
    assert!(found.contains("large.yaml: larger than 16 MiB"), "{found}");
    assert!(found.contains("bytes.yaml: not UTF-8 text (line 2)"), "{found}");
}
