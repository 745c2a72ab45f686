//! Answers of OPA 0.60 for the builtins that are ours.

use regorus::Value;
use serde_json::{Value as Json, json};

use super::*;

fn call(name: &str, args: Json) -> Value {
    let (_, _, native, _) = NATIVES.iter().find(|(n, ..)| *n == name).unwrap();
    let args: Vec<Value> = args.as_array().unwrap().iter().cloned().map(Value::from).collect();
    native(&args).unwrap_or(Value::Undefined)
}

fn expect(name: &str, cases: &[(Json, Json)]) {
    for (args, want) in cases {
        assert_eq!(call(name, args.clone()), Value::from(want.clone()), "{name}({args})");
    }
}

#[test]
fn globs() {
    expect(
        "glob.match",
        &[
            (json!(["/a/*", ["/"], "/a/b"]), json!(true)),
            (json!(["/a/*", ["/"], "/a/b/c"]), json!(false)),
            (json!(["/a/*", ["/"], "/a/"]), json!(true)),
            (json!(["/a/**", ["/"], "/a/b/c"]), json!(true)),
            (json!(["/a/**b", ["/"], "/a/c/b"]), json!(true)),
            (json!(["/a/b**", ["/"], "/a/bc/d"]), json!(true)),
            (json!(["a**x", ["/"], "a/b/x"]), json!(true)),
            (json!(["*.example.com", [], "a.example.com"]), json!(true)),
            (json!(["*.example.com", [], "a.b.example.com"]), json!(false)),
            (json!(["*.example.com", null, "a.b.example.com"]), json!(true)),
            (json!(["*", [".", "/"], "a/b"]), json!(false)),
            (json!(["a?c", ["/"], "abc"]), json!(true)),
            (json!(["a?c", ["/"], "a/c"]), json!(false)),
            (json!(["[a-c]x", [], "bx"]), json!(true)),
            (json!(["[!a-c]x", [], "bx"]), json!(false)),
            (json!(["[abc]x", [], "cx"]), json!(true)),
            (json!(["{cat,bat,[fr]at}", [], "rat"]), json!(true)),
            (json!(["{cat,bat,[fr]at}", [], "mat"]), json!(false)),
            (json!(["{a,{b,c}d}", [], "cd"]), json!(true)),
            (json!(["a\\*c", [], "a*c"]), json!(true)),
            (json!(["a\\*c", [], "abc"]), json!(false)),
            (json!(["a.c", ["/"], "abc"]), json!(false)),
            (json!(["a,b", [], "a,b"]), json!(true)),
            (json!(["/ä/*", ["/"], "/ä/ö"]), json!(true)),
            (json!(["*", ["/"], "a\nb"]), json!(true)),
        ],
    );
    for bad in [json!(["{a", [], "a"]), json!(["[a", [], "a"]), json!(["a", ["ab"], "a"]), json!([1, [], "a"])] {
        assert_eq!(call("glob.match", bad.clone()), Value::Undefined, "{bad}");
    }
}

#[test]
fn regular_expressions() {
    expect(
        "regex.match",
        &[
            (json!(["^\\d+$", "123"]), json!(true)),
            (json!(["^\\d+$", "١٢٣"]), json!(false)),
            (json!(["^\\w+$", "straße"]), json!(false)),
            (json!(["^\\s$", "\u{a0}"]), json!(false)),
            (json!(["\\bfoo\\b", "éfooé"]), json!(true)),
            (json!(["^[\\d-]+$", "1-2"]), json!(true)),
            (json!(["^[^\\w]$", "é"]), json!(true)),
            (json!(["\\Qa.b\\E", "a.b"]), json!(true)),
            (json!(["\\Qa.b\\E", "axb"]), json!(false)),
            (json!(["^[[a]+$", "[a"]), json!(true)),
            (json!(["^[a&&b]+$", "&"]), json!(true)),
            (json!(["^[[:alpha:]]+$", "abc"]), json!(true)),
            (json!(["^[]a]+$", "]a"]), json!(true)),
            (json!(["b", "abc"]), json!(true)),
            (json!(["^b", "abc"]), json!(false)),
        ],
    );
    for bad in ["(", "[a", "a{2", "\\"] {
        let got = call("regex.match", json!([bad, "a{2"]));
        assert!(got == Value::Undefined || bad == "a{2", "{bad}: {got}");
    }
}

#[test]
fn a_million_patterns_do_not_fill_the_memory() {
    for n in 0..5_000 {
        assert_eq!(call("glob.match", json!([format!("/{n}/*"), ["/"], format!("/{n}/x")])), Value::Bool(true));
    }
}

#[test]
fn networks() {
    expect(
        "net.cidr_contains",
        &[
            (json!(["10.0.0.0/8", "10.1.2.3"]), json!(true)),
            (json!(["10.0.0.0/8", "11.1.2.3"]), json!(false)),
            (json!(["10.0.0.0/8", "::ffff:10.1.2.3"]), json!(true)),
            (json!(["10.0.0.0/8", "10.1.0.0/16"]), json!(true)),
            (json!(["10.1.0.0/16", "10.0.0.0/8"]), json!(false)),
            (json!(["0.0.0.0/0", "1.2.3.4"]), json!(true)),
            (json!(["2001:db8::/32", "2001:db8::1"]), json!(true)),
            (json!(["::/0", "2001:db8::1"]), json!(true)),
            (json!(["10.1.2.3/32", "10.1.2.3"]), json!(true)),
        ],
    );
    for bad in [json!(["010.0.0.0/8", "10.1.2.3"]), json!(["10.0.0.0/33", "10.1.2.3"]), json!(["10.0.0.0", "x"])] {
        assert_eq!(call("net.cidr_contains", bad.clone()), Value::Undefined, "{bad}");
    }
}

#[test]
fn what_panics_or_grows_in_the_engine_does_not_here() {
    expect(
        "strings.count",
        &[(json!(["héé", ""]), json!(4)), (json!(["cheese", "e"]), json!(3)), (json!(["", "a"]), json!(0))],
    );
    expect("object.subset", &[(json!([[1], []]), json!(true)), (json!([[1, 2], [2]]), json!(true))]);
    expect("numbers.range", &[(json!([1, 3]), json!([1, 2, 3])), (json!([3, 1]), json!([3, 2, 1]))]);
    expect("replace", &[(json!(["aXa", "X", "b"]), json!("aba"))]);
    clear_limit();
    assert_eq!(call("time.parse_ns", json!(["2006", "ü"])), Value::Undefined);
    assert!(!limit_was_hit());
    for (name, args) in [
        ("numbers.range", json!([1, 1_000_000_000_u64])),
        ("numbers.range", json!([1e300, -1e300])),
        ("net.cidr_expand", json!(["10.0.0.0/8"])),
        ("net.cidr_expand", json!(["::/0"])),
        ("indexof_n", json!(["a".repeat(1 << 14), "a".repeat(1 << 13)])),
        ("strings.replace_n", json!([{ "a": "b".repeat(1 << 16) }, "a".repeat(1 << 10)])),
    ] {
        clear_limit();
        assert_eq!(call(name, args), Value::Undefined);
        assert!(limit_was_hit(), "{name}");
    }
}

#[test]
fn ours_exist_in_the_engine_and_are_judged_pure() {
    for (name, args, ..) in NATIVES {
        assert_eq!(BUILTINS.get(name).map(|(_, n)| *n), Some(*args), "{name}");
        assert_eq!(impure_among(&[(*name).to_owned()].into()), None, "{name}");
    }
    for name in ["time.now_ns", "rand.intn", "uuid.rfc4122", "http.send", "opa.runtime", "print", "unheard.of"] {
        assert_eq!(impure_among(&[name.to_owned()].into()), Some(name));
    }
}

/// One line of `tests/builtins.yaml`.
#[derive(serde::Deserialize)]
struct Line {
    expr: String,
    want: Json,
}

/// What the expressions of `tests/builtins.yaml` may name.
const NAMES: &str = r#"package t

oct := {"kty": "oct", "k": "c2VjcmV0"}

hs := io.jwt.encode_sign({"alg": "HS256", "typ": "JWT"}, {"iss": "me", "aud": ["a", "b"], "nbf": 1000, "exp": 2000}, oct)

ed := io.jwt.encode_sign({"alg": "EdDSA", "kid": "e"}, {}, object.union(ed_key, {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}))

ed_key := {"kty": "OKP", "kid": "e", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

ed_keys := json.marshal({"keys": [{"kty": "unknown"}, es_key, ed_key]})

es := io.jwt.encode_sign({"alg": "ES256"}, {}, object.union(es_key, {"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}))

es_key := {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}

es_keys := json.marshal(es_key)
"#;

#[test]
fn expressions_have_their_values() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builtins.yaml");
    let lines: Vec<Line> = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(lines.len() > 60);
    let mut wrong = Vec::new();
    for Line { expr, want } in lines {
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(false);
        engine.set_policy_length_config(crate::load::lengths());
        install_in_engine(&mut engine, OnFailure::Undefined).unwrap();
        engine.add_policy("t.rego".to_owned(), format!("{NAMES}\nvalue := {expr}\n")).unwrap();
        let mut said = match engine.eval_rule("data.t.value".to_owned()) {
            Ok(Value::Undefined) => json!("undefined"),
            Ok(value) => serde_json::to_value(&value).unwrap(),
            Err(error) => json!(error.to_string()),
        };
        if want[2] == "SIG" {
            assert_eq!(said[2].as_str().unwrap().len(), 64, "32 bytes in hex");
            said[2] = json!("SIG");
        }
        if said != want {
            wrong.push(format!("{expr}\n  is {said}\n  wanted {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
