//! Sources in newer or wider Rego than the engine reads, put in words that it does.
//!
//! `f(a, b, out)` of a builtin of two arguments means `out = f(a, b)`. The engine knows that form for its own builtins only.

use regorus::Engine;
use regorus::unstable::{Expr, ExprRef, Literal, Query, Rule, RuleHead};

use crate::builtins::arity;
use crate::load::parse::lengths;
use crate::load::syntax;

/// The source as the engine is to read it; `None` when it can stay as it is, or cannot be read at all.
pub(crate) fn rewrite(path: &str, text: &str, v0: bool) -> Option<String> {
    let older = syntax::rewrite(text, v0);
    without_outputs(path, older.as_deref().unwrap_or(text), v0).or(older)
}

fn without_outputs(path: &str, text: &str, v0: bool) -> Option<String> {
    let mut engine = Engine::new();
    engine.set_rego_v0(v0);
    engine.set_policy_length_config(lengths());
    engine.add_policy(path.to_owned(), text.to_owned()).ok()?;
    let mut edits = Vec::new();
    for module in engine.get_modules() {
        for rule in &module.policy {
            let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
            let (key, assign) = match head {
                RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => (None, assign.as_ref()),
                RuleHead::Set { key, .. } => (key.as_ref(), None),
            };
            let assigned = assign.into_iter().chain(bodies.iter().filter_map(|body| body.assign.as_ref()));
            assigned.map(|assign| &assign.value).chain(key).for_each(|value| inside(value, text, &mut edits));
            bodies.iter().for_each(|body| query(&body.query, text, &mut edits));
        }
    }
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.from));
    edits.dedup_by_key(|edit| edit.from);
    let mut rewritten = text.to_owned();
    for edit in &edits {
        rewritten.replace_range(edit.from..edit.to, &edit.with);
    }
    (!edits.is_empty()).then_some(rewritten)
}

/// A part of the source and what stands for it.
struct Edit {
    from: usize,
    to: usize,
    with: String,
}

fn query(query: &Query, text: &str, edits: &mut Vec<Edit>) {
    for statement in &query.stmts {
        match &statement.literal {
            Literal::Expr { expr, .. } => match out_call(expr, text) {
                Some(edit) => edits.push(edit),
                None => inside(expr, text, edits),
            },
            Literal::NotExpr { expr, .. } => inside(expr, text, edits),
            Literal::SomeIn { collection, .. } => inside(collection, text, edits),
            Literal::Every { domain, query: body, .. } => {
                inside(domain, text, edits);
                self::query(body, text, edits);
            }
            Literal::SomeVars { .. } => {}
        }
    }
}

/// Queries stand in comprehensions, which stand anywhere in an expression.
fn inside(expr: &ExprRef, text: &str, edits: &mut Vec<Edit>) {
    match expr.as_ref() {
        Expr::ArrayCompr { term, query: body, .. } | Expr::SetCompr { term, query: body, .. } => {
            inside(term, text, edits);
            query(body, text, edits);
        }
        Expr::ObjectCompr { key, value, query: body, .. } => {
            inside(key, text, edits);
            inside(value, text, edits);
            query(body, text, edits);
        }
        Expr::Array { items, .. } | Expr::Set { items, .. } | Expr::Call { params: items, .. } => {
            items.iter().for_each(|item| inside(item, text, edits));
        }
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            inside(key, text, edits);
            inside(value, text, edits);
        }),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            inside(lhs, text, edits);
            inside(rhs, text, edits);
        }
        Expr::UnaryExpr { expr, .. } => inside(expr, text, edits),
        Expr::RefDot { refr, .. } => inside(refr, text, edits),
        Expr::RefBrack { refr, index, .. } => {
            inside(refr, text, edits);
            inside(index, text, edits);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).for_each(|part| inside(part, text, edits));
        }
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
    }
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
    let start = out.span().start as usize;
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
