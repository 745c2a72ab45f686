//! `x := input.a` fails where `input.a` is undefined. The register machine goes on, and `not` may even make a yes of it, so each
//! such statement gets a second one behind it, which the machine does check:
//!
//! ```rego
//! user := input.user          user := input.user
//! not blocked[user]           _ = user; not blocked[user]
//! ```

use std::collections::BTreeMap;

use regorus::Engine;
use regorus::unstable::{AssignOp, Expr, ExprRef, Literal, LiteralStmt, Module, Query, Rule, RuleHead};

use crate::analysis::is_literal;

/// An engine with the same policies, where no assignment goes on with an undefined value.
///
/// # Errors
/// Why there is none.
pub(super) fn guarded(engine: &Engine, empty: impl Fn() -> Result<Engine, String>) -> Result<Option<Engine>, String> {
    let mut old = engine.clone();
    let mut texts = BTreeMap::new();
    for module in old.get_modules().iter() {
        let text = module.package.span.source.contents();
        let mut edits = Edits { text, all: Vec::new() };
        edits.module(module)?;
        texts.insert(module.package.span.source.file().clone(), edits);
    }
    if texts.values().all(|edits| edits.all.is_empty()) {
        return Ok(None);
    }
    let mut new = empty()?;
    for module in old.get_modules().iter() {
        let file = module.package.span.source.file();
        let Some(edits) = texts.get(file) else { return Err("a policy without a text".to_owned()) };
        new.set_rego_v0(!module.rego_v1);
        new.add_policy(file.clone(), edits.applied()).map_err(|error| error.to_string())?;
        let wanted = module.num_statements.saturating_add(u32::try_from(edits.all.len()).unwrap_or(u32::MAX));
        if new.get_modules().last().map(|module| module.num_statements) != Some(wanted) {
            return Err(format!("{file}: an assignment could not be guarded"));
        }
    }
    Ok(Some(new))
}

struct Edits<'a> {
    text: &'a str,
    /// Places, and what is put there.
    all: Vec<(usize, String)>,
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
            return Some((next.span.start as usize, format!("_ = {name}; ")));
        }
        let mut end = statement.span.end as usize;
        // The span of a text is that of what is between its quotes.
        if self.text.get(end..)?.starts_with(['"', '`']) {
            end += 1;
        }
        let mut rest = self.text.get(end..)?.trim_start();
        while let Some(comment) = rest.strip_prefix('#') {
            rest = comment.split_once('\n')?.1.trim_start();
        }
        rest.starts_with(['}', ']']).then(|| (end, format!("; _ = {name}")))
    }

    /// Queries stand in comprehensions, which stand anywhere in an expression.
    fn inside(&mut self, expr: &ExprRef) -> Result<(), String> {
        match expr.as_ref() {
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
    let Literal::Expr { expr, .. } = &statement.literal else { return None };
    let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr.as_ref() else { return None };
    let Expr::Var { span, .. } = lhs.as_ref() else { return None };
    let is_defined = is_literal(rhs)
        || matches!(rhs.as_ref(), Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. });
    (!is_defined).then(|| span.text().to_owned())
}
