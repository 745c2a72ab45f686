//! The whole configuration: the documented example, operators' mistakes, generated pages.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};

use harness::{build, problems};

const MINIMAL: &str = "apiVersion: gatehouse/v1\n\
                       server: { listeners: [{ address: \"127.0.0.1:9191\", serves: [check] }] }\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_smallest_configuration_is_good() {
    assert_eq!(problems(MINIMAL), "0 problems");
}

#[test]
fn the_example_of_the_documentation_is_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/good");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let built = build(&path);
            assert!(built.is_ok(), "{}: {}", path.display(), built.err().unwrap());
        }
    }
}

/// Every `bad/x.yaml` is reported exactly as `bad/x.txt` says. What every file needs is added when it is not there.
#[test]
fn every_mistake_has_its_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/bad");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    cases.sort();
    let mut wrong = String::new();
    for case in cases {
        let found = problems(&fs::read_to_string(&case).unwrap());
        let want = fs::read_to_string(case.with_extension("txt")).unwrap_or_default();
        if found.trim_end() != want.trim_end() {
            wrong.push_str(&format!("--- {} says\n{found}\n--- but its .txt wants\n{want}\n", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn problems_of_all_sections_come_together() {
    let report = problems(
        "apiVersion: gatehouse/v2\nserver: { listeners: [{ address: nonsense, serves: [check] }] }\n\
         policy: { timeout: 0s }\nratelimit: { tiers: { free: [fast] } }\n\
         apis:\n  - name: a\n    hosts: [a.test]\n    routes:\n      - { match: { path: / }, limt: {} }\n",
    );
    for path in ["apiVersion", "server.listeners[0].address", "ratelimit.tiers.free[0]", "apis[0].routes[0].limt"] {
        assert!(report.contains(&format!(" {path}: ")), "{path} is missing in\n{report}");
    }
}

/// `cargo xtask gen` writes these files; `GATEHOUSE_WRITE_GENERATED=1` lets this test do it.
#[test]
fn generated_pages_are_up_to_date() {
    let schema = serde_json::to_string_pretty(&settings::schema()).unwrap() + "\n";
    let pages = [
        ("docs/reference/configuration.md", settings::reference()),
        ("docs/reference/config.yaml", settings::default_document()),
        ("docs/reference/config.schema.json", schema),
    ];
    for (name, text) in pages {
        let path = root().join(name);
        if std::env::var_os("GATEHOUSE_WRITE_GENERATED").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there.trim_end() == text.trim_end(), "{name} is out of date: run `cargo xtask gen`");
    }
}

#[test]
fn the_default_document_reads_as_the_default() {
    let texts = vec![(PathBuf::from("config.yaml"), settings::default_document())];
    let loaded = settings::load_texts(Path::new("."), texts).unwrap();
    let read = serde_json::to_value(&loaded.config).unwrap();
    let mut default = serde_json::to_value(settings::Config::default()).unwrap();
    default["apiVersion"] = "gatehouse/v1".into();
    assert_eq!(read, default);
}
