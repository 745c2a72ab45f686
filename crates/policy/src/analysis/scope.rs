//! Names that are local to a part of a rule, and so hide rules and imports of the same name.

use std::collections::HashSet;

use regorus::unstable::{AssignOp, Expr, Literal, Query};

/// Local names, from the outermost scope inwards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope(HashSet<String>);

impl Scope {
    /// True when `name` is local here.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Adds every variable in a pattern.
    pub(crate) fn declare(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } => {
                self.0.insert(span.text().to_owned());
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                for item in items {
                    self.declare(item);
                }
            }
            Expr::Object { fields, .. } => {
                for (_, _, value) in fields {
                    self.declare(value);
                }
            }
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. }
            | Expr::Call { .. }
            | Expr::UnaryExpr { .. }
            | Expr::RefDot { .. }
            | Expr::RefBrack { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::Membership { .. } => {}
        }
    }

    /// The scope inside `query`: this one and all names that the query declares with `some` and `:=`.
    pub(crate) fn inside(&self, query: &Query) -> Self {
        let mut inner = self.clone();
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { vars, .. } => {
                    inner.0.extend(vars.iter().map(|v| v.text().to_owned()));
                }
                Literal::SomeIn { key, value, .. } => {
                    if let Some(key) = key {
                        inner.declare(key);
                    }
                    inner.declare(value);
                }
                Literal::Expr { expr, .. } => {
                    if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() {
                        inner.declare(lhs);
                    }
                }
                Literal::NotExpr { .. } | Literal::Every { .. } => {}
            }
        }
        inner
    }

    /// The scope inside the body of an `every`.
    pub(crate) fn with_names<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut inner = self.clone();
        inner.0.extend(names.into_iter().map(str::to_owned));
        inner
    }
}
