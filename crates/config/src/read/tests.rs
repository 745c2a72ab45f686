use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use serde::Deserialize;

use crate::{Document, Path, Period, Problems, SecretConfig};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Root {
    name: String,
    period: Period,
    secret: Option<SecretConfig>,
    count: Option<u32>,
    issuers: BTreeMap<String, Issuer>,
    apis: Vec<Api>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Issuer {
    issuer: String,
    #[serde(default)]
    audiences: Vec<String>,
    algorithms: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Api {
    name: String,
    #[serde(default)]
    methods: Vec<Method>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Method {
    Anonymous,
    Jwt(String),
    Both { left: u8, right: u8 },
}

fn document(text: &str) -> Document {
    Document::from_texts(FilePath::new("."), vec![(PathBuf::from("c.yaml"), text.to_owned())])
}

fn read(text: &str) -> (Option<Root>, Vec<String>) {
    let mut document = document(text);
    let root = document.read();
    let report = document.report(&Problems::new());
    (root, report.findings().iter().map(ToString::to_string).collect())
}

fn problems(text: &str) -> Vec<String> {
    read(text).1
}

#[test]
fn a_good_document_reads() {
    let (root, problems) = read(
        "name: a\nperiod: 250ms\nsecret: { env: X }\nissuers: { corp: { issuer: x, algorithms: [RS256] } }\n\
         apis:\n  - name: 5\n    methods: [anonymous, { jwt: corp }, { both: { left: 1, right: 0x10 } }]\n",
    );
    assert_eq!(problems, [""; 0]);
    let root = root.unwrap();
    assert_eq!(root.apis[0].name, "5");
    assert_eq!(
        root.apis[0].methods,
        [Method::Anonymous, Method::Jwt("corp".into()), Method::Both { left: 1, right: 16 }]
    );
    assert_eq!((root.name.as_str(), root.period, root.count), ("a", Period::millis(250), None));
    assert_eq!(root.issuers["corp"].issuer, "x");
    assert!(root.issuers["corp"].audiences.is_empty() && root.issuers["corp"].algorithms.len() == 1);
    assert_eq!(root.secret, Some(SecretConfig::Env("X".into())));
}

#[test]
fn a_key_without_a_value_is_an_empty_section() {
    assert_eq!(problems("issuers:\nperiod: 1s\n"), [""; 0]);
    assert_eq!(problems(""), [""; 0]);
}

#[test]
fn two_missing_keys_are_both_reported() {
    assert_eq!(
        problems("issuers:\n  corp: { audiences: [a] }\n"),
        ["c.yaml:2:9: issuers.corp: key `algorithms` is missing", "c.yaml:2:9: issuers.corp: key `issuer` is missing"]
    );
}

#[test]
fn a_misspelt_required_key_is_one_mistake() {
    assert_eq!(problems("apis:\n  - nmae: a\n"), ["c.yaml:2:5: apis[0].nmae: unknown key, did you mean `name`?"]);
}

#[test]
fn a_wrong_required_value_is_one_mistake() {
    assert_eq!(problems("apis:\n  - name: [a]\n"), ["c.yaml:2:11: apis[0].name: expected text, found a list"]);
    assert_eq!(problems("apis:\n  - name: a\n    methods: [{ jwt: {} }]\n").len(), 1);
    assert_eq!(problems("apis:\n  - name: a\n    methods: [{ both: { left: 999, right: -1 } }]\n").len(), 2);
}

#[test]
fn elements_keep_their_numbers() {
    let text = "apis:\n  - {}\n  - name: ok\n  - name: ok\n    methods: [jwt, nobody, { jwt: a, anonymous: }]\n";
    assert_eq!(
        problems(text),
        [
            "c.yaml:2:5: apis[0]: key `name` is missing",
            "c.yaml:5:15: apis[2].methods[0]: `jwt` needs a value: write `{ jwt: … }`",
            "c.yaml:5:20: apis[2].methods[1]: unknown value, expected one of `anonymous`, `jwt`, `both`",
            "c.yaml:5:28: apis[2].methods[2]: expected exactly one of `anonymous`, `jwt`, `both`",
        ]
    );
}

#[test]
fn problems_found_later_are_located_past_what_was_left_out() {
    let mut document = document("apis:\n  - {}\n  - name: b\n    methods:\n      - { jwt: nobody }\n");
    let root: Root = document.read().unwrap();
    assert_eq!(root.apis.len(), 1);
    let mut problems = Problems::new();
    let api = Path::root().key("apis").index(0);
    problems.error(&api.key("methods").index(0), "unknown issuer `nobody`");
    problems.warn(&api.key("owner"), "nobody owns this");
    assert_eq!(
        document.report(&problems).to_string(),
        "c.yaml:2:5: apis[0]: key `name` is missing\n\
         c.yaml:3:5: warning: apis[1].owner: nobody owns this\n\
         c.yaml:5:9: apis[1].methods[0]: unknown issuer `nobody`\n\
         2 problems, 1 warning"
    );
}

#[test]
fn what_refers_to_a_part_left_out_is_not_reported() {
    let mut document = document("issuers:\n  corp: 5\napis: [{ name: a, methods: [{ jwt: corp }] }]\n");
    let _: Root = document.read().unwrap();
    let mut problems = Problems::new();
    problems.error(&Path::root().key("apis").index(0).key("methods").index(0), "unknown issuer `corp`");
    problems.error(&Path::root().key("issuers"), "needs at least one");
    assert_eq!(
        document.report(&problems).to_string(),
        "c.yaml:2:9: issuers.corp: expected a map, found the number 5\n1 problem"
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_not_printed() {
    for text in ["secret: hunter2", "secret: { hunter2: x, y: z }", "count: hunter2", "apis: hunter2"] {
        let found = problems(text);
        assert!(found.len() == 1 && !found[0].contains("hunter2"), "{found:?}");
    }
}

#[test]
fn thirty_mistakes_are_thirty_lines() {
    let mut text = String::from("nmae: x\nperiod: 5\nsecret: { fiel: x }\ncount: -1\nissuers:\n");
    for i in 0..10 {
        text.push_str(&format!("  i{i}: {{ issuer: x, algorithms: RS256 }}\n"));
    }
    text.push_str("apis:\n");
    for i in 0..16 {
        text.push_str(&format!("  - {{ name: a{i}, methdos: [anonymous] }}\n"));
    }
    let (root, found) = read(&text);
    assert!(root.is_some());
    assert_eq!(found.len(), 30, "{found:#?}");
    let lines: Vec<usize> = found.iter().map(|f| f.split(':').nth(1).unwrap().parse().unwrap()).collect();
    assert!(lines.is_sorted());
}

#[test]
fn hostile_yaml_ends_in_one_clear_line() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &('b'..='i').fold(String::new(), |text, c| {
            let before = char::from(c as u8 - 1);
            text + &format!(
                "{c}: &{c} [*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n"
            )
        });
    for (text, part) in [
        (bomb, "more than 500000 values"),
        ("[".repeat(200) + &"]".repeat(200), "nested more than 64 levels deep"),
        ("[".repeat(100_000), "not valid YAML: recursion limit"),
        ("- ".repeat(5_000), "levels deep"),
        ("a: &a [*a]".to_owned(), "an alias repeats the value it stands in"),
        ("a: *b".to_owned(), "YAML"),
        ("a: b: c".to_owned(), "not valid YAML"),
        ("name: a\n---\nname: b".to_owned(), "a second YAML document starts here"),
        ("- a".to_owned(), "a configuration is a map of keys"),
        ("{ a: 1 }: b".to_owned(), "a key must be a plain word"),
        ("name: !ruby/object a".to_owned(), "means nothing here"),
        ("name: a\nname: b".to_owned(), "key `name` is written twice, first in line 1"),
        ("name: a\n<<: { count: 1 }".to_owned(), "merge keys"),
    ] {
        let found = problems(&text);
        assert!(found.len() == 1 && found[0].contains(part), "{part}: {found:?}");
    }
}

#[test]
fn aliases_within_limits_work() {
    let (root, found) = read("apis:\n  - name: a\n    methods: &m [anonymous]\n  - name: b\n    methods: *m\n");
    assert_eq!(found, [""; 0]);
    assert_eq!(root.unwrap().apis[1].methods, [Method::Anonymous]);
}
