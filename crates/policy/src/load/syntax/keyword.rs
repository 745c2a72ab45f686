//! Keywords as the first name of a reference: `as.foo` becomes `__gatehouse_kw_as.foo`.
//!
//! The engine takes keywords everywhere else in references. A rule `as.foo` of package `p` lies at `data.p.__gatehouse_kw_as.foo`
//! after this, so [`exposed`] looks for whoever could see that, and loading refuses it.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{Module, Ref};

use super::token::{Kind, Tokens};
use super::writer::Writer;
use crate::analysis::{collect, head_ref, package_of, parse_reference};

/// What is a keyword, and no name to the engine's parser.
const KEYWORDS: [&str; 11] =
    ["as", "default", "else", "false", "import", "not", "null", "package", "some", "true", "with"];
/// What is one only since Rego v1. `contains` is a name to the engine.
const V1_KEYWORDS: [&str; 3] = ["every", "if", "in"];
const PREFIX: &str = "__gatehouse_kw_";

/// The source without such names.
pub(super) fn rewrite(text: &str, v0: bool) -> Option<String> {
    let keywords = || KEYWORDS.iter().chain(V1_KEYWORDS.iter().filter(|_| !v0));
    if text.contains(PREFIX) || !keywords().any(|word| may_begin(text, word)) {
        return None;
    }
    let tokens = Tokens::of(text)?;
    let is_keyword = |at: usize| keywords().any(|word| *word == tokens.says(at));
    let roots: Vec<usize> = (0..tokens.len()).filter(|at| is_keyword(*at) && is_root(&tokens, *at)).collect();
    let names: BTreeSet<&str> = roots.iter().map(|at| tokens.says(*at)).collect();
    let mut writer = Writer::new(text);
    for at in 0..tokens.len() {
        let token = tokens.get(at)?;
        if roots.binary_search(&at).is_ok() {
            writer.replace(token.from, token.to, &format!("{PREFIX}{}", tokens.says(at)));
        } else if names.contains(tokens.says(at)) && ends_import(&tokens, at) {
            writer.copy(token.to);
            writer.insert(&format!(" as {PREFIX}{}", tokens.says(at)));
        }
    }
    writer.finish()
}

/// A first look, which knows no texts and comments.
fn may_begin(text: &str, word: &str) -> bool {
    let is_name = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before)).copied();
        !is_name(before) && text.as_bytes().get(at + word.len()) == Some(&b'.')
    })
}

fn is_root(tokens: &Tokens<'_>, at: usize) -> bool {
    let is_word = tokens.kind(at) == Some(Kind::Word);
    is_word && !tokens.is_field(at) && tokens.is_root(at) && tokens.kind(at + 2) == Some(Kind::Word)
}

/// True for the last name of an import without another name.
fn ends_import(tokens: &Tokens<'_>, at: usize) -> bool {
    if tokens.is_root(at) || tokens.is_keyword(at + 1, "as") {
        return false;
    }
    let mut first = at;
    while first >= 2 && tokens.is_field(first) {
        first -= 2;
    }
    first < at && first.checked_sub(1).is_some_and(|before| tokens.is_keyword(before, "import"))
}

/// What is wrong where a rule whose first name is a keyword could be seen under its real name: by a reference or an entry point that
/// names it or what it lies in, or because data lies there, too.
pub(crate) fn exposed(modules: &[Ref<Module>], entries: &[Vec<String>], data: &Value) -> Vec<String> {
    let mut rules: Vec<(String, Vec<String>)> = Vec::new();
    for module in modules {
        for rule in &module.policy {
            let Some(head) = parse_reference(head_ref(rule), &mut Vec::new()) else { continue };
            let Some(word) = head.root.strip_prefix(PREFIX) else { continue };
            let mut path = package_of(module);
            path.push(word.to_owned());
            if !rules.iter().any(|(_, known)| *known == path) {
                let span = rule.span();
                rules.push((format!("{}:{}", span.source.file(), span.line), path));
            }
        }
    }
    if rules.is_empty() {
        return Vec::new();
    }
    let facts = collect(modules);
    let reads: Vec<&Vec<String>> =
        facts.values().flat_map(|fact| fact.refs.iter().chain(&fact.dynamic_refs)).chain(entries).collect();
    let is_seen = |path: &Vec<String>| reads.iter().any(|read| read.starts_with(path) || path.starts_with(read));
    rules.retain(|(_, path)| is_seen(path) || is_data(path, data));
    let what = |(at, path): (String, Vec<String>)| {
        format!("{at}: `{}` begins with a keyword, and is read by its full path or with its package", path.join("."))
    };
    rules.into_iter().map(what).collect()
}

fn is_data(path: &[String], data: &Value) -> bool {
    let mut at = Some(data);
    for name in path.iter().skip(1) {
        at = at.and_then(|value| value.as_object().ok()?.get(&Value::from(name.as_str())));
    }
    at.is_some()
}

#[cfg(test)]
mod tests {
    use regorus::Engine;

    use super::*;

    #[test]
    fn only_first_names_change() {
        let source = "package foo.as.bar\nimport data.x.in\nimport data.y.not as n\ndefault default.foo(_) := true\nas.foo contains \"a.if\"\n\
                      p if { as.foo == foo.as; some x in in.y; with.f(1); input.x.true; {\"a\":true}.b }\n";
        let want = "package foo.as.bar\nimport data.x.in as __gatehouse_kw_in\nimport data.y.not as n\ndefault __gatehouse_kw_default.foo(_) := true\n\
                    __gatehouse_kw_as.foo contains \"a.if\"\np if { __gatehouse_kw_as.foo == foo.as; some x in __gatehouse_kw_in.y; \
                    __gatehouse_kw_with.f(1); input.x.true; {\"a\":true}.b }\n";
        assert_eq!(rewrite(source, false).as_deref(), Some(want));
        assert_eq!(rewrite("p { in.x; if.y }", true), None);
        assert_eq!(rewrite("p { as.x }", true).as_deref(), Some("p { __gatehouse_kw_as.x }"));
        assert_eq!(rewrite("# logged in.\np := \"in. as.b\"", false), None);
        assert_eq!(rewrite("p := as.b + __gatehouse_kw_as.c", false), None);
    }

    #[test]
    fn who_sees_the_real_name_is_found() {
        let problems = |rest: &str, entry: &[&str], data: &str| {
            let mut engine = Engine::new();
            let text = rewrite("package p\nas.foo := 1\nq := as.foo\n", false).unwrap();
            engine.add_policy("p.rego".to_owned(), text).unwrap();
            engine.add_policy("r.rego".to_owned(), format!("package r\n{rest}\n")).unwrap();
            let entry = entry.iter().map(|name| (*name).to_owned()).collect();
            exposed(engine.get_modules(), &[entry], &Value::from_json_str(data).unwrap())
        };
        assert_eq!(problems("a := data.p.q", &["data", "p", "q"], "{}"), Vec::<String>::new());
        for (rest, entry, data) in [
            ("a := data.p.as.foo", ["data", "p", "q"], "{}"),
            ("a := data.p", ["data", "p", "q"], "{}"),
            ("a := data.p[input.x]", ["data", "p", "q"], "{}"),
            ("a := data[input.x]", ["data", "p", "q"], "{}"),
            ("a := 1", ["data", "p", "as"], "{}"),
            ("a := 1", ["data", "p", "q"], "{\"p\": {\"as\": 1}}"),
        ] {
            let found = problems(rest, &entry, data);
            assert_eq!(found.len(), 1, "{rest}");
            assert!(found[0].starts_with("p.rego:2: `data.p.as`"), "{found:?}");
        }
    }
}
