//! Template strings as arguments in the head of a function: `f($"{x}") if { … }` becomes `f(__gatehouse_a0) if { __gatehouse_a0 == $"{x}"; … }`.
//!
//! Only where one body in braces follows on; the engine refuses what is left.

use super::statement::Statements;
use super::token::{Kind, Tokens};
use super::writer::Writer;

/// The source without such arguments.
pub(super) fn rewrite(text: &str) -> Option<String> {
    if !text.contains("($") && !text.contains(" $") {
        return None;
    }
    let tokens = Tokens::of(text)?;
    let statements = Statements::plain(&tokens);
    let mut writer = Writer::new(text);
    let mut number = 0;
    let mut at = 0;
    while at < tokens.len() {
        if tokens.is_keyword(at, "if") {
            at = if tokens.is_open(at + 1, '{') { tokens.after(at + 1) } else { statements.end(at + 1, tokens.len()) };
            continue;
        }
        if tokens.is_open(at, '(') && is_head(&statements, at) {
            let arguments = templates(&tokens, at);
            if !arguments.is_empty()
                && let Some(body) = only_body(&statements, tokens.after(at))
            {
                let mut equal = String::new();
                for (from, to) in arguments {
                    let name = format!("__gatehouse_a{number}");
                    number += 1;
                    writer.replace(from, to, &name);
                    equal.push_str(&format!(" {name} == {};", text.get(from..to)?));
                }
                writer.copy(tokens.get(body)?.to);
                writer.insert(&equal);
            }
        }
        at = tokens.after(at);
    }
    writer.finish()
}

/// True for the bracket behind the name of a function that is defined here.
fn is_head(statements: &Statements<'_>, open: usize) -> bool {
    let tokens = statements.tokens;
    let Some(mut root) = open.checked_sub(1).filter(|_| tokens.is_glued(open)) else { return false };
    while tokens.is_field(root) && root >= 2 {
        root -= 2;
    }
    tokens.kind(root) == Some(Kind::Word) && root.checked_sub(1).is_some_and(|last| statements.is_boundary(last, root))
}

/// Places of arguments that are templates as a whole, on one line.
fn templates(tokens: &Tokens<'_>, open: usize) -> Vec<(usize, usize)> {
    let close = tokens.last_of(open);
    let starts = tokens.level(open + 1, close).filter(|at| tokens.kind(*at) == Some(Kind::TemplateStart));
    let stands_alone = |at: usize| {
        let (before, behind) = (at.saturating_sub(1), tokens.after(at));
        (before == open || tokens.is_mark(before, ',')) && (behind == close || tokens.is_mark(behind, ','))
    };
    let places = starts.filter(|at| stands_alone(*at)).filter_map(|at| {
        let (from, to) = (tokens.get(at)?.from, tokens.get(tokens.last_of(at))?.to);
        (!tokens.text.get(from..to)?.contains('\n')).then_some((from, to))
    });
    places.collect()
}

/// The bracket that opens the body of a rule without `else`.
fn only_body(statements: &Statements<'_>, from: usize) -> Option<usize> {
    let tokens = statements.tokens;
    let mut last = from.checked_sub(1)?;
    for at in tokens.level(from, tokens.len()) {
        if statements.is_boundary(last, at) {
            return None;
        }
        if tokens.is_keyword(at, "if") {
            let next = tokens.after(at + 1);
            let goes_on = ["else", "and", "or"].iter().any(|word| tokens.is_keyword(next, word));
            return (tokens.is_open(at + 1, '{') && !goes_on).then_some(at + 1);
        }
        last = tokens.last_of(at);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn templates_move_into_the_body() {
        let source = "package p\na.f(1, $\"{x}-\", y, $\"b\") := 1 if {\n x = 1 }\nf(x) if x == $\"a\"\n";
        let want = "package p\na.f(1, __gatehouse_a0, y, __gatehouse_a1) := 1 if { __gatehouse_a0 == $\"{x}-\"; __gatehouse_a1 == $\"b\";\n \
                    x = 1 }\nf(x) if x == $\"a\"\n";
        assert_eq!(rewrite(source).as_deref(), Some(want));
    }

    #[test]
    fn other_places_stay() {
        for source in [
            "package p\nf($\"a\") := 1\nq if { x }\n",
            "package p\nf($\"a\") if x\n",
            "package p\nf($\"a\") if { x } else := 1\n",
            "package p\nq := f($\"a\") if { x }\n",
            "package p\nq :=\nf($\"a\") if { x }\n",
            "package p\nq if f($\"a\")\n",
            "package p\nf([$\"a\"]) if { x }\n",
            "package p\nf($`a\n`) if { x }\n",
        ] {
            assert_eq!(rewrite(source), None, "{source}");
        }
    }
}
