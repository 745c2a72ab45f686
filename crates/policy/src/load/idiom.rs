//! `headers["x"] := v` and `result["k"] := v`, the idiom of policies for Envoy, in words that the register machine takes.
//!
//! Rules of one name with constant keys become one rule for each key, and one rule that joins their objects:
//!
//! ```rego
//! headers["x-user"] := u if …       __gatehouse_headers_0 := {"x-user": u} if …
//! headers["x-tier"] := t if …       __gatehouse_headers_1 := {"x-tier": t} if …
//!                                   default __gatehouse_headers_0 := {}
//!                                   default __gatehouse_headers_1 := {}
//!                                   headers := object.union_n([__gatehouse_headers_0, __gatehouse_headers_1])
//! ```
//!
//! Two values for one key conflict as before: they are two values of one rule. Nothing is rewritten where somebody could see the
//! further rules: in packages that are read as a whole.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref, Rule, RuleAssign, RuleHead, Span};

use crate::analysis::{collect, head_ref, package_of};
use crate::load::NewTexts;

/// The texts of the modules that change. `entries` are the paths of the entry points.
pub(crate) fn rewrite(modules: &[Ref<Module>], entries: &[Vec<String>]) -> NewTexts {
    let seen_whole = packages_read_as_a_whole(modules, entries);
    let mut texts = NewTexts::new();
    for (place, module) in modules.iter().enumerate() {
        let package = package_of(module);
        let is_alone = modules.iter().filter(|other| package_of(other) == package).count() == 1;
        if !is_alone || seen_whole.iter().any(|path| package.starts_with(path)) {
            continue;
        }
        if let Some(text) = rewrite_module(module) {
            texts.insert(place, text);
        }
    }
    texts
}

/// Paths that are references of their own, without a rule's name behind them, or that go on at run time.
fn packages_read_as_a_whole(modules: &[Ref<Module>], entries: &[Vec<String>]) -> BTreeSet<Vec<String>> {
    let facts = collect(modules);
    let packages: BTreeSet<Vec<String>> = modules.iter().map(|module| package_of(module)).collect();
    let paths = facts.values().flat_map(|fact| fact.refs.iter().chain(&fact.dynamic_refs)).chain(entries);
    paths.filter(|path| packages.iter().any(|package| package.starts_with(path))).cloned().collect()
}

/// One definition `name["key"] := value`.
struct Definition<'a> {
    /// Place of `name["key"]`.
    head: (usize, usize),
    /// The key with its quotes.
    key: &'a str,
    /// Place of the value.
    value: (usize, usize),
}

fn rewrite_module(module: &Module) -> Option<String> {
    let text = module.package.span.source.contents();
    let mut names: BTreeMap<&str, Option<Vec<Definition<'_>>>> = BTreeMap::new();
    for rule in &module.policy {
        let Some(name) = name_of(rule) else { continue };
        let all = names.entry(name).or_insert_with(|| Some(Vec::new()));
        match (definition(rule, text), all.as_mut()) {
            (Some(definition), Some(list)) => list.push(definition),
            // Another form beside them: all of this name stays.
            _ => *all = None,
        }
    }
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    let mut joined = String::new();
    for (name, definitions) in names.into_iter().filter_map(|(name, all)| Some((name, all?))) {
        let keys: Vec<&str> = definitions.iter().map(|d| d.key).collect::<BTreeSet<_>>().into_iter().collect();
        for definition in &definitions {
            let number = keys.iter().position(|key| *key == definition.key)?;
            let (from, to) = definition.value;
            edits.push((definition.head.0, definition.head.1, format!("{PREFIX}{name}_{number}")));
            edits.push((from, from, format!("{{{}: ", definition.key)));
            edits.push((to, to, "}".to_owned()));
        }
        let rules: Vec<String> = (0..keys.len()).map(|number| format!("{PREFIX}{name}_{number}")).collect();
        joined.extend(rules.iter().map(|rule| format!("\ndefault {rule} := {{}}\n")));
        joined.push_str(&format!("\n{name} := object.union_n([{}])\n", rules.join(", ")));
    }
    if edits.is_empty() {
        return None;
    }
    // From the end, so that places before stay where they are; at one place what closes goes before what opens.
    edits.sort_by_key(|(from, to, _)| (std::cmp::Reverse(*from), std::cmp::Reverse(*to)));
    let mut rewritten = text.to_owned();
    for (from, to, with) in edits {
        rewritten.get(from..to)?;
        rewritten.replace_range(from..to, &with);
    }
    Some(rewritten + "\n" + &joined)
}

/// The first name in a rule's head.
fn name_of(rule: &Rule) -> Option<&str> {
    let mut at = head_ref(rule);
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = at.as_ref() {
        at = refr;
    }
    if let Expr::Var { span, .. } = at.as_ref() { Some(span.text()) } else { None }
}

fn definition<'a>(rule: &'a Rule, text: &'a str) -> Option<Definition<'a>> {
    let Rule::Spec { head: RuleHead::Compr { refr, assign: Some(assign), .. }, bodies, .. } = rule else { return None };
    let Expr::RefBrack { refr: object, index, .. } = refr.as_ref() else { return None };
    let (Expr::Var { .. }, Expr::String { span: inside, .. }) = (object.as_ref(), index.as_ref()) else { return None };
    let is_plain = bodies.len() <= 1 && bodies.iter().all(|body| !body.is_else && body.assign.is_none());
    // The spans of a text are those of what is between its quotes.
    let (from, to) = range(inside);
    let key = text.get(from.checked_sub(1)?..to + 1).filter(|key| key.starts_with('"') && key.ends_with('"'))?;
    let bracket = text.get(to + 1..)?.find(']').map(|at| to + 1 + at)?;
    let closes_at_once = text.get(to + 1..bracket)?.trim().is_empty();
    let head = (range(refr.span()).0, bracket + 1);
    let (is_alone, value) = (text.get(head.1..range(&assign.span).0)?.trim().is_empty(), value(assign, text)?);
    (is_plain && closes_at_once && is_alone).then_some(Definition { head, key, value })
}

/// Where the value of `:= value` stands. The span of the whole is right, but for a text at its end, where it lacks the quote.
fn value(assign: &RuleAssign, text: &str) -> Option<(usize, usize)> {
    let (from, mut to) = range(&assign.span);
    if text.get(to..)?.starts_with(['"', '`']) {
        to += 1;
    }
    let value = text.get(from..to)?;
    let value = value.strip_prefix(":=").or_else(|| value.strip_prefix('='))?.trim_start();
    Some((to - value.len(), to))
}

const fn range(span: &Span) -> (usize, usize) {
    (span.start as usize, span.end as usize)
}

const PREFIX: &str = "__gatehouse_";

#[cfg(test)]
mod tests {
    use regorus::Engine;

    use super::*;

    fn rewritten(source: &str, entry: &[&str]) -> Option<String> {
        let mut engine = Engine::new();
        engine.add_policy("p.rego".to_owned(), source.to_owned()).unwrap();
        let entry = entry.iter().map(|name| (*name).to_owned()).collect();
        rewrite(engine.get_modules(), &[entry]).remove(&0)
    }

    #[test]
    fn constant_keys_become_rules_of_their_own() {
        let source = r#"package p

result["allowed"] := (1 + input.a) * (2 + 3) if input.a
result[ "body" ] = "no" # text
result["headers"] := {"x": f(1)}
f(x) := x
"#;
        let want = r#"package p

__gatehouse_result_0 := {"allowed": (1 + input.a) * (2 + 3)} if input.a
__gatehouse_result_1 = {"body": "no"} # text
__gatehouse_result_2 := {"headers": {"x": f(1)}}
f(x) := x


default __gatehouse_result_0 := {}

default __gatehouse_result_1 := {}

default __gatehouse_result_2 := {}

result := object.union_n([__gatehouse_result_0, __gatehouse_result_1, __gatehouse_result_2])
"#;
        assert_eq!(rewritten(source, &["data", "p", "result"]).as_deref(), Some(want));
    }

    #[test]
    fn what_could_mean_something_else_stays() {
        let entry = ["data", "p", "result"];
        for source in [
            "package p\n\nresult[\"a\"] := 1 if input.a\nresult[k] := 2 if some k in input.b\n",
            "package p\n\nresult[\"a\"] := 1 if input.a else := 2\n",
            "package p\n\ndefault result := {}\nresult[\"a\"] := 1\n",
            "package p\n\nresult[\"a\"][\"b\"] := 1\n",
            "package p\n\nresult[\"a\"] := 1\nall := data.p\n",
            "package p\n\nresult contains \"a\"\n",
        ] {
            assert_eq!(rewritten(source, &entry), None, "{source}");
        }
        let source = "package p\n\nresult[\"a\"] := 1\n";
        assert_eq!(rewritten(source, &["data", "p"]), None, "the package is the decision");
    }
}
