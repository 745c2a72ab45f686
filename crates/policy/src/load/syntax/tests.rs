use regorus::{Engine, Value};

use super::{is_shallow_template, rewrite};

/// The value of `data.p` after the rewrite.
fn value(source: &str) -> Value {
    let mut engine = Engine::new();
    let text = rewrite(source, false).unwrap_or_else(|| source.to_owned());
    assert_eq!(text.lines().count(), source.lines().count(), "{text}");
    engine.add_policy("p.rego".to_owned(), text).unwrap();
    engine.set_input(Value::from_json_str(r#"{"yes": true, "no": false, "xs": [-1, 5, 12]}"#).unwrap());
    engine.eval_rule("data.p.p".to_owned()).unwrap()
}

#[test]
fn operators_bind_as_they_should() {
    for (body, want) in [
        ("input.yes and input.yes", true),
        ("input.yes and input.no", false),
        ("input.no or input.none or input.yes", true),
        ("input.no and input.no or input.yes", true),
        ("input.no and (input.no or input.yes)", false),
        ("not input.yes or input.yes", true),
        ("not (input.no or input.none)", true),
        ("not (input.no and input.yes) and input.yes", true),
        ("not { input.yes; input.no }", true),
        ("not { a := 1; a == 1 }", false),
        ("{ a := 1; a == 1 } and { a := 2; a == 2 }", true),
        ("((input.no or input.yes))", true),
        ("(input.yes with input.yes as false) and input.yes", false),
        ("input.no\nor # text\ninput.yes", true),
        ("input.no or\ninput.yes", true),
        ("input.yes and input.no with input.no as true", true),
        ("every x in input.xs { x < 0 or\n x > 4 }", true),
        ("every x in {1, 2}\n{ x == 1 or x == 3 }", false),
        ("count([x | some x in input.xs; x < 0 or x > 10]) == 2", true),
        ("count({x: 1 | some x in input.xs\n x > 0 and x < 10}) == 1 and count([1, 2, 3]) == 3", true),
        ("x := input.xs[_]; x > 4 and x < 6 ; input.yes", true),
    ] {
        let source = format!("package p\nimport rego.v2\ndefault p := false\np if {{\n{body}\n}}\n");
        assert_eq!(value(&source), Value::from(want), "{body}");
        let source = format!("package p\nimport future.keywords\ndefault p := false\np if {body}\n");
        if !body.contains(';') || body.contains('{') {
            assert_eq!(value(&source), Value::from(want), "{body}");
        }
    }
}

#[test]
fn rules_without_braces_end_where_they_should() {
    let source = "package p\nimport future.keywords.or\np := 1 if input.no or input.none\nelse := 2 if input.no or input.yes\nq := 3\n";
    assert_eq!(value(source), Value::from(2));
}

#[test]
fn what_uses_none_of_it_stays() {
    for source in [
        "package p\n\nand := 1\nor := and\np if and == or\n",
        "package p\nimport future.keywords\np if { not input.a; (input.b) }\n",
        "package p\nimport rego.v1\np contains x if some x in [\"a and b\", `rego.v2`]\n",
        "",
        "no rego",
    ] {
        assert_eq!(rewrite(source, false), None, "{source}");
    }
}

#[test]
fn what_nobody_can_read_is_refused() {
    let head = "package p\nimport future.keywords\np if {\n";
    let deep = format!("{}a or b{}", "(".repeat(20), ")".repeat(20));
    for body in [
        "a and",
        "or a",
        "{} and b",
        "{1, 2} & a and b",
        "a with input as 1 and b",
        "some a and b",
        "every a in b { c } and d",
        "and(a, b)",
        "not { a }; x with y as z or a",
        "{a | b} or c",
        &deep,
        "not not { a }",
    ] {
        let source = format!("{head}{body}\n}}\n");
        let text = rewrite(&source, false).unwrap_or(source);
        assert!(Engine::new().add_policy("p.rego".to_owned(), text).is_err(), "{body}");
    }
    assert_eq!(rewrite("package p\nimport future.keywords\np if { a; else }\n", false), None);
}

#[test]
fn long_sources_take_no_longer_than_they_must() {
    let started = std::time::Instant::now();
    for part in [
        "every x\n",
        "a or ",
        "not ",
        "(a and ",
        "as.in.",
        "import in.in\n",
        "f($\"a\")\n",
        "{ x | ",
        "every x in { x } ",
        "with f as count ",
        "a.b ",
        "$\"{",
    ] {
        let source = format!("package p\nimport rego.v2\nimport data.in.as\np if {{\n{}\n}}\n", part.repeat(100_000));
        rewrite(&source, false);
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn quotes_in_templates_are_no_depth() {
    let source = "a := $\"{f(\"((((\")} {f(\"((((\")} {f(\"((((\")} {f(\"((((\")}\"\n";
    assert!(crate::load::check_nesting(source).is_err() && is_shallow_template(source));
    assert!(!is_shallow_template(&format!("a := $\"{}\"", "{[".repeat(20))));
    assert!(!is_shallow_template("a := [[1]]"));
}

#[test]
fn any_text_is_survived() {
    let words = [
        "and", "or", "not", "{", "}", "(", ")", "[", "]", "|", ";", "\n", "with", "input", "as", "if", "every", "x",
        "in", "some", "$\"", "\"", "`", "$`", "\\", "é", ".", "else", ":=", "-", "1", "#", ",", "true", "p", ".foo",
        "as.b", "import",
    ];
    let mut seed = 7_u64;
    for _ in 0..4_000 {
        let mut source = "package p\nimport rego.v2\np if ".to_owned();
        for _ in 0..30 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            source.push_str(words[usize::try_from(seed >> 33).unwrap() % words.len()]);
            if seed & 0x1000_0000 != 0 {
                source.push(' ');
            }
        }
        if let Some(text) = rewrite(&source, false) {
            let text = text.strip_suffix("\n$").unwrap_or(&text);
            assert_eq!(text.matches('\n').count(), source.matches('\n').count(), "{source}");
        }
    }
}
