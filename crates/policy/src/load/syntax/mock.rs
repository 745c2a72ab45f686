//! Builtins that stand in for functions: `with f as count` becomes `with f as __gatehouse_with_count`, a function of its own.
//!
//! The engine takes only functions of policies there. Functions are no values, so that nobody sees one more of them.

use std::collections::{BTreeMap, HashSet};

use regorus::unstable::BUILTINS;

use super::token::{Kind, Tokens};
use super::writer::Writer;
use crate::builtins::arity;

/// The source without such builtins.
pub(super) fn rewrite(text: &str) -> Option<String> {
    if !text.contains("with") || text.contains(PREFIX) {
        return None;
    }
    let tokens = Tokens::of(text)?;
    let mut writer = Writer::new(text);
    let mut functions = BTreeMap::new();
    let taken = taken(&tokens);
    for at in (0..tokens.len()).filter(|at| tokens.is_keyword(*at, "with")) {
        // Values are put in the place of input and data, and functions in that of functions.
        if matches!(tokens.says(at + 1), "input" | "data") {
            continue;
        }
        let named_as = last_of_path(&tokens, at + 1) + 1;
        let (first, last) = (named_as + 1, last_of_path(&tokens, named_as + 1));
        let goes_on = tokens.is_open(last + 1, '(') || tokens.is_open(last + 1, '[');
        if !tokens.is_keyword(named_as, "as") || goes_on || taken.contains(tokens.says(first)) {
            continue;
        }
        let (from, to) = (tokens.get(first)?.from, tokens.get(last)?.to);
        let name = text.get(from..to)?;
        match arity(name).or_else(|| BUILTINS.get(name).map(|(_, arguments)| *arguments)) {
            Some(0) => {
                writer.copy(to);
                writer.insert("()");
            }
            Some(arguments) => {
                let function = format!("{PREFIX}{}", name.replace('.', "_"));
                writer.replace(from, to, &function);
                let arguments: Vec<String> = (0..arguments).map(|number| format!("a{number}")).collect();
                let arguments = arguments.join(", ");
                functions.insert(function.clone(), format!("{function}({arguments}) := {name}({arguments})"));
            }
            None => {}
        }
    }
    let mut rewritten = writer.finish()?;
    for function in functions.values() {
        rewritten.push('\n');
        rewritten.push_str(function);
        rewritten.push('\n');
    }
    Some(rewritten)
}

const PREFIX: &str = "__gatehouse_with_";

/// The last token of the names that begin at `from`.
fn last_of_path(tokens: &Tokens<'_>, from: usize) -> usize {
    let mut last = from;
    while tokens.is_root(last) && tokens.is_field(last + 2) {
        last += 2;
    }
    last
}

/// Names of rules, imports and variables: all that are not only called.
fn taken<'a>(tokens: &Tokens<'a>) -> HashSet<&'a str> {
    let is_call = |at: usize| tokens.is_root(at) || tokens.is_open(at + 1, '(') && tokens.is_glued(at + 1);
    let is_behind = |at: usize, word: &str| at.checked_sub(1).is_some_and(|before| tokens.is_keyword(before, word));
    let mut taken = HashSet::new();
    for at in (0..tokens.len()).filter(|at| tokens.kind(*at) == Some(Kind::Word)) {
        if tokens.is_keyword(at, "import") {
            let last = last_of_path(tokens, at + 1);
            taken.insert(tokens.says(if tokens.is_keyword(last + 1, "as") { last + 2 } else { last }));
        } else if !tokens.is_field(at) && !is_call(at) && !is_behind(at, "as") && !is_behind(at, "with") {
            taken.insert(tokens.says(at));
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn builtins_become_functions() {
        let source = "package p\np if q with f as count with g as object.get with time.now_ns as opa.runtime # x\n";
        let want = "package p\np if q with f as __gatehouse_with_count with g as __gatehouse_with_object_get with time.now_ns as opa.runtime() # x\n\
                    \n__gatehouse_with_count(a0) := count(a0)\n\n__gatehouse_with_object_get(a0, a1, a2) := object.get(a0, a1, a2)\n";
        assert_eq!(rewrite(source).as_deref(), Some(want));
    }

    #[test]
    fn other_names_stay() {
        for source in [
            "package p\np if q with input.x as count\n",
            "package p\np if q with f as g\n",
            "package p\np if { count := 1; q with f as count }\n",
            "package p\np if q with f as count([1])\n",
            "package p\nimport data.x as count\np if q with f as count\n",
            "package p\nimport data.x.count\np if q with f as count\n",
            "package p\np if q with f as 1\n",
            "with",
        ] {
            assert_eq!(rewrite(source), None, "{source}");
        }
    }
}
