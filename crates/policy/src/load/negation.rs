//! `not` as OPA means it: what a negated call, comparison or list is made of has to be there.
//!
//! OPA takes operands out of a negation, so that `not startswith(input.path, "/admin")` is undefined, and not true, for a request
//! without a path. The engine would say true. References alone and both sides of `==` and `=` stay: `not input.a` and
//! `not input.a == 1` are true when there is no `a`.
//!
//! ```rego
//! not f(input.a, x)        __gatehouse_n1 := input.a; __gatehouse_n2 := x; not f(__gatehouse_n1, __gatehouse_n2)
//! ```

use regorus::unstable::{BoolOp, Expr, ExprRef, Literal, LiteralStmt};

use crate::load::edit::{self, Edit};
use crate::load::parse::parsed;
use crate::load::visit::{self, Seen};

const PREFIX: &str = "__gatehouse_n";

/// Modules that import the newer `not`, for which undefined operands are as good as false.
pub(super) fn has_its_own_scope(text: &str) -> bool {
    text.lines().map(str::trim).filter_map(|line| line.strip_prefix("import ")).map(str::trim).any(|import| {
        import.starts_with("future.keywords.not") || import == "future.keywords" || import.starts_with("rego.v2")
    })
}

/// The source with operands taken out of negations; `None` when there are none, or it cannot be read.
pub(super) fn rewrite(path: &str, text: &str, v0: bool) -> Option<String> {
    if !text.contains("not") {
        return None;
    }
    let mut edits = Vec::new();
    for module in parsed(path, text, v0)?.get_modules() {
        visit::module(module, &mut |seen| {
            if let Seen::Statement(statement) = seen {
                edits.extend(taken_out(statement, text).unwrap_or_default());
            }
            true
        });
    }
    let rewritten = edit::apply(text, edits)?;
    // What the engine cannot read any more was not understood here.
    parsed(path, &rewritten, v0).map(|_| rewritten)
}

/// What changes in a negated statement.
fn taken_out(statement: &LiteralStmt, text: &str) -> Option<Vec<Edit>> {
    let Literal::NotExpr { span, expr } = &statement.literal else { return None };
    let mut operands = Vec::new();
    collect(expr, &mut operands);
    let from = span.start as usize;
    let to = end_of(from, statement.span.end as usize, text)?;
    let with = match statement.with_mods.first() {
        Some(first) => format!(" {}", text.get(first.span.start as usize..to)?),
        None => String::new(),
    };
    let (mut before, mut edits) = (String::new(), Vec::new());
    for operand in operands {
        let place = operand.span().start as usize;
        let end = end_of(place, operand.span().end as usize, text)?;
        let taken = text.get(place..end).filter(|taken| is_whole(taken))?;
        let name = format!("{PREFIX}{place}");
        before.push_str(&format!("{name} := {taken}{with}; "));
        edits.push(Edit { from: place, to: end, with: name });
    }
    if edits.is_empty() {
        return None;
    }
    // A body without braces holds one statement.
    let is_bare = text.get(..from)?.trim_end().ends_with("if");
    let open = if is_bare { "{ " } else { "" };
    edits.push(Edit { from, to: from, with: format!("{open}{before}") });
    if is_bare {
        edits.push(Edit { from: to, to, with: " }".to_owned() });
    }
    Some(edits)
}

/// The span of a text does not have its last quote.
fn end_of(start: usize, end: usize, text: &str) -> Option<usize> {
    let quotes = text.get(start..end)?.matches('"').count();
    let quote_follows = text.get(end..)?.starts_with('"');
    Some(if quotes % 2 == 1 && quote_follows { end + 1 } else { end })
}

/// Brackets are closed, quotes too, and nothing in it counts through a list.
fn is_whole(text: &str) -> bool {
    let count = |c: char| text.matches(c).count();
    count('(') == count(')')
        && count('[') == count(']')
        && count('{') == count('}')
        && count('"') % 2 == 0
        && count('`') % 2 == 0
        && !text.contains(['#', '\n'])
        && !text.replace(' ', "").contains("[_]")
}

fn collect<'e>(expr: &'e ExprRef, operands: &mut Vec<&'e ExprRef>) {
    match expr.as_ref() {
        Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } => {
            for side in [lhs, rhs] {
                if is_reference(side) {
                    indices(side, operands);
                } else if may_be_missing(side) {
                    operands.push(side);
                }
            }
        }
        Expr::RefDot { .. } | Expr::RefBrack { .. } => indices(expr, operands),
        Expr::BoolExpr { lhs, rhs, .. } | Expr::ArithExpr { lhs, rhs, .. } | Expr::BinExpr { lhs, rhs, .. } => {
            operands.extend([lhs, rhs].into_iter().filter(|side| may_be_missing(side)));
        }
        Expr::Call { params, .. } => operands.extend(params.iter().filter(|param| may_be_missing(param))),
        Expr::Membership { key, value, collection, .. } => {
            operands.extend(key.iter().chain([value, collection]).filter(|part| may_be_missing(part)));
        }
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::Array { .. }
        | Expr::Set { .. }
        | Expr::Object { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. }
        | Expr::UnaryExpr { .. } => {}
    }
}

/// References that begin with a name.
fn is_reference(expr: &ExprRef) -> bool {
    if let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = expr.as_ref() {
        return is_reference(refr);
    }
    matches!(expr.as_ref(), Expr::Var { .. })
}

/// What a reference is looked up with has to be there; names may be bound by the look-up.
fn indices<'e>(expr: &'e ExprRef, operands: &mut Vec<&'e ExprRef>) {
    if let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = expr.as_ref() {
        indices(refr, operands);
    }
    if let Expr::RefBrack { index, .. } = expr.as_ref()
        && may_be_missing(index)
        && !matches!(index.as_ref(), Expr::Var { .. })
    {
        operands.push(index);
    }
}

/// Whether an expression can be undefined. Wildcards stand for anything.
fn may_be_missing(expr: &ExprRef) -> bool {
    match expr.as_ref() {
        Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. } => {
            false
        }
        // Lists that are gathered are there, if empty.
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => false,
        Expr::Var { span, .. } => span.text() != "_" && span.text() != "input",
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().any(may_be_missing),
        Expr::Object { fields, .. } => {
            fields.iter().any(|(_, key, value)| may_be_missing(key) || may_be_missing(value))
        }
        Expr::UnaryExpr { expr, .. } => may_be_missing(expr),
        Expr::RefDot { .. }
        | Expr::RefBrack { .. }
        | Expr::Call { .. }
        | Expr::BinExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(body: &str) -> Option<String> {
        let text = format!("package p\n\nimport rego.v1\n\na if {{\n\t{body}\n}}\n");
        let changed = rewrite("p.rego", &text, false)?;
        let body = changed.split_once("{\n\t")?.1.split_once("\n}")?.0;
        // Names hold places.
        let mut names: Vec<&str> = body.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        names.retain(|name| name.starts_with(PREFIX));
        names.sort_unstable();
        names.dedup();
        Some(
            names
                .iter()
                .zip('A'..)
                .fold(body.to_owned(), |body, (name, letter)| body.replace(name, &letter.to_string())),
        )
    }

    #[test]
    fn operands_are_taken_out() {
        for (body, want) in [
            ("not startswith(input.x, \"a\")", "A := input.x; not startswith(A, \"a\")"),
            ("not f(input[\"x\"], y)", "A := input[\"x\"]; B := y; not f(A, B)"),
            ("not input.a > 1", "A := input.a; not A > 1"),
            ("not input.a != \"b\"", "A := input.a; not A != \"b\""),
            ("not count(input.a) == 3", "A := count(input.a); not A == 3"),
            ("not input.a + 1 == 2", "A := input.a + 1; not A == 2"),
            ("not [input.a] == []", "A := [input.a]; not A == []"),
            ("not \"x\" in input.a", "A := input.a; not \"x\" in A"),
            ("not input.x[input.a] == 1", "A := input.a; not input.x[A] == 1"),
            ("not f(input.a) with input.b as 1", "A := input.a with input.b as 1; not f(A) with input.b as 1"),
            (
                "not f(input.a) with input.b as \"c\"",
                "A := input.a with input.b as \"c\"; not f(A) with input.b as \"c\"",
            ),
        ] {
            assert_eq!(rewritten(body).as_deref(), Some(want), "{body}");
        }
    }

    #[test]
    fn what_may_be_missing_stays() {
        for body in [
            "not input.a",
            "not input.a == 1",
            "not input.a = input.b",
            "not f(1, \"a\", [x | x := 1])",
            "not f(input.a[_])",
        ] {
            assert_eq!(rewritten(body), None, "{body}");
        }
        assert!(has_its_own_scope("package p\nimport future.keywords.not\n"));
        assert!(!has_its_own_scope("package p\nimport future.keywords.if\n"));
    }

    #[test]
    fn bodies_without_braces_get_them() {
        let text = "package p\n\nimport rego.v1\n\na if not f(input.x)\n\nb := 1 if not input.y > 2\n";
        let changed = rewrite("p.rego", text, false).unwrap();
        assert!(changed.contains(":= input.x; not f(__gatehouse_n"), "{changed}");
        assert!(changed.contains("a if { __gatehouse_n") && changed.contains(" > 2 }\n"), "{changed}");
    }
}
