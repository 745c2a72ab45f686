//! Sources in newer or wider Rego than the engine reads, put in words that it does.
//!
//! `f(a, b, out)` of a builtin of two arguments means `out = f(a, b)`. The engine knows that form for its own builtins only.

use regorus::unstable::{Expr, ExprRef};

use crate::builtins::arity;
use crate::load::edit::{self, Edit};
use crate::load::parse::parsed;
use crate::load::{negation, syntax, visit};

/// The source as the engine is to read it; `None` when it can stay as it is, or cannot be read at all.
pub(crate) fn rewrite(path: &str, text: &str, v0: bool) -> Option<String> {
    let older = syntax::rewrite(text, v0);
    let older = without_outputs(path, older.as_deref().unwrap_or(text), v0).or(older);
    if negation::has_its_own_scope(text) {
        return older;
    }
    negation::rewrite(path, older.as_deref().unwrap_or(text), v0).or(older)
}

fn without_outputs(path: &str, text: &str, v0: bool) -> Option<String> {
    let mut edits = Vec::new();
    for module in parsed(path, text, v0)?.get_modules() {
        visit::expressions(
            module,
            &mut |expr, is_statement| match is_statement.then(|| out_call(expr, text)).flatten() {
                Some(edit) => {
                    edits.push(edit);
                    false
                }
                None => true,
            },
        );
    }
    edit::apply(text, edits)
}

/// `f(a, out)` as `out = f(a)`, when `f` is a builtin of ours that takes one argument less than it is given.
fn out_call(expr: &ExprRef, text: &str) -> Option<Edit> {
    let Expr::Call { span, fcn, params, .. } = expr.as_ref() else { return None };
    let (out, arguments) = params.split_last()?;
    if arity(fcn.span().text()).map(usize::from) != Some(arguments.len()) {
        return None;
    }
    let (from, to) = (span.start as usize, span.end as usize);
    let last = arguments.last().map_or(fcn.span().end, |argument| argument.span().end) as usize;
    // The span of a text is that of what is between its quotes.
    let is_text = matches!(out.as_ref(), Expr::String { .. } | Expr::RawString { .. });
    let start = (out.span().start as usize).checked_sub(usize::from(is_text))?;
    // Between the two stand a comma and what closes the argument; anything else is left alone.
    let between = text.get(last..start)?;
    if between.matches(',').count() != 1 || between.contains(['(', '#']) {
        return None;
    }
    let head = text.get(from..last + between.find(',')?)?;
    let out = text.get(start..to)?.strip_suffix(')')?.trim_end().trim_end_matches(',');
    Some(Edit { from, to, with: format!("{out} = {head})") })
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn outputs_become_assignments() {
        let source = "package p\n\nallow if {\n\tio.jwt.decode_verify(input.t, {\"secret\": \"s\"}, [ok, _, claims])\n\tclaims.a\n}\n\n\
                      nets := [x | net.cidr_merge(input.n, x)]\n";
        let want = "package p\n\nallow if {\n\t[ok, _, claims] = io.jwt.decode_verify(input.t, {\"secret\": \"s\"})\n\tclaims.a\n}\n\n\
                    nets := [x | x = net.cidr_merge(input.n)]\n";
        assert_eq!(rewrite("p.rego", source, false).as_deref(), Some(want));
    }

    #[test]
    fn an_output_may_be_a_text() {
        let source = "package p\n\nallow if base64.decode(input.x, \"text\")\n";
        let want = "package p\n\nallow if \"text\" = base64.decode(input.x)\n";
        assert_eq!(rewrite("p.rego", source, false).as_deref(), Some(want));
    }

    #[test]
    fn what_needs_no_other_words_stays() {
        for source in [
            "package p\n\nallow if io.jwt.decode(input.t, {}, 1)\n",
            "package p\n\nallow if [_, c, _] := io.jwt.decode(input.t)\n",
            "package p\n\nallow if f(1, 2)\nf(x, y) := x + y\n",
            "no rego",
        ] {
            assert_eq!(rewrite("p.rego", source, false), None, "{source}");
        }
    }
}
