//! `x := input.a` fails where `input.a` is undefined. The register machine goes on, and `not` may even make a yes of it, so each
//! such statement gets a second one behind it, which the machine does check:
//!
//! ```rego
//! user := input.user          user := input.user
//! not blocked[user]           user == user; not blocked[user]
//! ```
//!
//! What cannot be guarded so is left to the interpreter.

use std::collections::BTreeMap;

use regorus::Engine;
use regorus::unstable::{AssignOp, BoolOp, Expr, ExprRef, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead};

use crate::analysis::is_literal;

/// An engine with the same policies, where no assignment goes on with an undefined value.
///
/// # Errors
/// Why there is none.
pub(super) fn guarded(engine: &Engine, empty: impl Fn() -> Result<Engine, String>) -> Result<Option<Engine>, String> {
    let mut old = engine.clone();
    let modules: Vec<Ref<Module>> = old.get_modules().clone();
    let mut texts = BTreeMap::new();
    for module in &modules {
        let text = module.package.span.source.contents();
        let mut edits = Edits { text, all: Vec::new(), guards: 0 };
        edits.module(module)?;
        texts.insert(module.package.span.source.file().clone(), edits);
    }
    if texts.values().all(|edits| edits.all.is_empty()) {
        return Ok(None);
    }
    let mut new = empty()?;
    for module in &modules {
        let file = module.package.span.source.file();
        let Some(edits) = texts.get(file) else { return Err("a policy without a text".to_owned()) };
        new.set_rego_v0(!module.rego_v1);
        let text = edits.applied();
        new.add_policy(file.clone(), text.clone()).map_err(|error| error.to_string())?;
        // At a wrong place it would be a part of another statement.
        let mut there = Edits { text: &text, all: Vec::new(), guards: 0 };
        if let Some(module) = new.get_modules().last().cloned() {
            there.module(&module)?;
        }
        if there.guards != edits.guards + edits.all.len() {
            return Err(format!("{file}: an assignment could not be guarded"));
        }
    }
    Ok(Some(new))
}

struct Edits<'a> {
    text: &'a str,
    /// Places, and what is put there.
    all: Vec<(usize, String)>,
    /// How many statements are `x == x`.
    guards: usize,
}

impl Edits<'_> {
    fn applied(&self) -> String {
        let mut edits: Vec<_> = self.all.iter().collect();
        edits.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut text = self.text.to_owned();
        for (at, with) in edits {
            text.insert_str(*at, with);
        }
        text
    }

    fn module(&mut self, module: &Module) -> Result<(), String> {
        for rule in &module.policy {
            let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
            let (key, assign) = match head {
                RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => (None, assign.as_ref()),
                RuleHead::Set { key, .. } => (key.as_ref(), None),
            };
            let assigned = assign.into_iter().chain(bodies.iter().filter_map(|body| body.assign.as_ref()));
            for value in assigned.map(|assign| &assign.value).chain(key) {
                self.inside(value)?;
            }
            for body in bodies {
                self.query(&body.query)?;
            }
        }
        Ok(())
    }

    fn query(&mut self, query: &Query) -> Result<(), String> {
        for (position, statement) in query.stmts.iter().enumerate() {
            if let Some(name) = unchecked(statement) {
                let guard = self.guard(&name, statement, query.stmts.get(position + 1));
                let place = || format!("{}:{}", statement.span.source.file(), statement.span.line);
                self.all.push(guard.ok_or_else(|| format!("{}: an assignment that may be undefined", place()))?);
            }
            self.guards += usize::from(is_guard(statement));
            match &statement.literal {
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.inside(expr)?,
                Literal::SomeIn { collection, .. } => self.inside(collection)?,
                Literal::Every { domain, query, .. } => {
                    self.inside(domain)?;
                    self.query(query)?;
                }
                Literal::SomeVars { .. } => {}
            }
        }
        Ok(())
    }

    /// Before the next statement, or at the end of what is in brackets.
    fn guard(&self, name: &str, statement: &LiteralStmt, next: Option<&LiteralStmt>) -> Option<(usize, String)> {
        if name == "_" {
            return None;
        }
        if let Some(next) = next {
            // The span of a text is that of what is between its quotes.
            let start = next.span.start as usize;
            let is_quoted = self.text.get(..start)?.ends_with(['"', '`']);
            return Some((start - usize::from(is_quoted), format!("{name} == {name}; ")));
        }
        let mut end = statement.span.end as usize;
        // That of a list lacks its bracket.
        let closes: &[char] = match value_of(statement)?.as_ref() {
            Expr::Array { .. } => &[']'],
            Expr::Set { .. } | Expr::Object { .. } => &['}'],
            _ => &['"', '`'],
        };
        if self.text.get(end..)?.starts_with(closes) {
            end += 1;
        }
        let mut rest = self.text.get(end..)?.trim_start();
        while let Some(comment) = rest.strip_prefix('#') {
            rest = comment.split_once('\n')?.1.trim_start();
        }
        rest.starts_with(['}', ']']).then(|| (end, format!("; {name} == {name}")))
    }

    /// Queries stand in comprehensions, which stand anywhere in an expression.
    fn inside(&mut self, expr: &ExprRef) -> Result<(), String> {
        match expr.as_ref() {
            // The machine collects undefined values, too.
            Expr::ArrayCompr { span, term, .. } | Expr::SetCompr { span, term, .. } if !is_defined(term) => {
                Err(format!("{}:{}: a comprehension of what may be undefined", span.source.file(), span.line))
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.inside(term)?;
                self.query(query)
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.inside(key)?;
                self.inside(value)?;
                self.query(query)
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } | Expr::Call { params: items, .. } => {
                items.iter().try_for_each(|item| self.inside(item))
            }
            Expr::Object { fields, .. } => fields.iter().try_for_each(|(_, key, value)| {
                self.inside(key)?;
                self.inside(value)
            }),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.inside(lhs)?;
                self.inside(rhs)
            }
            Expr::UnaryExpr { expr, .. } => self.inside(expr),
            Expr::RefDot { refr, .. } => self.inside(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.inside(refr)?;
                self.inside(index)
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().chain([value, collection]).try_for_each(|part| self.inside(part))
            }
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. } => Ok(()),
        }
    }
}

/// The variable of a statement `x := e` where `e` may be undefined.
fn unchecked(statement: &LiteralStmt) -> Option<String> {
    let value = value_of(statement)?;
    let Literal::Expr { expr, .. } = &statement.literal else { return None };
    let Expr::AssignExpr { lhs, .. } = expr.as_ref() else { return None };
    let Expr::Var { span, .. } = lhs.as_ref() else { return None };
    let is_defined = is_defined(value) && !matches!(value.as_ref(), Expr::Var { .. });
    (!is_defined).then(|| span.text().to_owned())
}

/// Whether an expression has a value where its variables have one.
fn is_defined(expr: &Expr) -> bool {
    match expr {
        Expr::Var { span, .. } => !matches!(span.text(), "input" | "data"),
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => true,
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().all(|item| is_defined(item)),
        Expr::Object { fields, .. } => fields.iter().all(|(_, key, value)| is_defined(key) && is_defined(value)),
        _ => is_literal(expr),
    }
}

/// `e` of `x := e`.
fn value_of(statement: &LiteralStmt) -> Option<&ExprRef> {
    let Literal::Expr { expr, .. } = &statement.literal else { return None };
    match expr.as_ref() {
        Expr::AssignExpr { op: AssignOp::ColEq, rhs, .. } => Some(rhs),
        _ => None,
    }
}

/// Whether a statement is `x == x`.
fn is_guard(statement: &LiteralStmt) -> bool {
    let Literal::Expr { expr, .. } = &statement.literal else { return false };
    let Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } = expr.as_ref() else { return false };
    match (lhs.as_ref(), rhs.as_ref()) {
        (Expr::Var { span: one, .. }, Expr::Var { span: other, .. }) => one.text() == other.text(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> Result<Option<String>, String> {
        let mut engine = Engine::new();
        engine.add_policy("p.rego".to_owned(), source.to_owned()).unwrap();
        let guarded = guarded(&engine, || Ok(Engine::new()))?;
        Ok(guarded.map(|mut engine| engine.get_modules()[0].package.span.source.contents().clone()))
    }

    fn body(statements: &str) -> Result<Option<String>, String> {
        let (head, tail) = ("package p\n\nallow if {\n", "\n}\n");
        let text = text(&format!("{head}{statements}{tail}"))?;
        Ok(text.map(|text| text.strip_prefix(head).unwrap().strip_suffix(tail).unwrap().to_owned()))
    }

    #[test]
    fn what_may_be_undefined_is_checked_behind_its_assignment() {
        for (statements, wanted) in [
            ("x := input.a\nnot y[x]", "x := input.a\nx == x; not y[x]"),
            ("x := input.a # }", "x := input.a; x == x # }"),
            ("x := f(\"a\") == \"b\"; \"c\" in x", "x := f(\"a\") == \"b\"; x == x; \"c\" in x"),
            ("x := input.a == \"b\"", "x := input.a == \"b\"; x == x"),
            ("x := [input.a]", "x := [input.a]; x == x"),
            ("x := {\"a\": input.a}\n", "x := {\"a\": input.a}; x == x\n"),
            ("every a in b { x := a.c }", "every a in b { x := a.c; x == x }"),
            ("count([x | x := input.a[_]]) == 1", "count([x | x := input.a[_]; x == x]) == 1"),
        ] {
            assert_eq!(body(statements), Ok(Some(wanted.to_owned())), "{statements}");
        }
    }

    #[test]
    fn what_has_a_value_or_is_checked_anyway_stays() {
        for statements in [
            "x := 1; x > 0",
            "x := [a | a := 1]",
            "count({[a] | some a in x}) == 1",
            "[x] := input.a",
            "x = input.a",
            "x == x",
        ] {
            assert_eq!(body(statements), Ok(None), "{statements}");
        }
    }

    #[test]
    fn without_a_place_for_a_check_there_is_no_engine() {
        for source in [
            "package p\n\nallow if x := input.a\n",
            "package p\n\nallow if { _ := input.a }\n",
            "package p\n\nallow if count([x.a | some x in input]) > 0\n",
        ] {
            assert!(text(source).unwrap_err().starts_with("p.rego:3: "), "{source}");
        }
    }
}
