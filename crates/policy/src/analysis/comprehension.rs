//! Which comprehensions the register machine evaluates as OPA does.

use regorus::unstable::{Expr, ExprRef, Literal, Query};

use crate::analysis::facts::is_literal;
use crate::analysis::scope::Scope;

/// True when the first statement ranges over something, so that whatever fails then fails inside a loop of the comprehension.
pub(super) fn begins_with_loop(query: &Query) -> bool {
    let declares = |literal: &Literal| matches!(literal, Literal::SomeVars { .. });
    let Some(first) = query.stmts.iter().find(|statement| !declares(&statement.literal)) else { return false };
    match &first.literal {
        Literal::SomeIn { collection, .. } => is_path(collection),
        Literal::Expr { expr, .. } => match expr.as_ref() {
            Expr::AssignExpr { lhs, rhs, .. } => matches!(lhs.as_ref(), Expr::Var { .. }) && is_loop(rhs, query),
            _ => is_loop(expr, query),
        },
        Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => false,
    }
}

/// `path[_]`, or `path[x]` where the body declares `x`: any other name may be bound outside. The path itself cannot fail.
fn is_loop(expr: &ExprRef, query: &Query) -> bool {
    let Expr::RefBrack { refr, index, .. } = expr.as_ref() else { return false };
    let is_new = |name: &str| {
        query.stmts.iter().any(|statement| match &statement.literal {
            Literal::SomeVars { vars, .. } => vars.iter().any(|var| var.text() == name),
            _ => false,
        })
    };
    matches!(index.as_ref(), Expr::Var { span, .. } if span.text() == "_" || is_new(span.text())) && is_path(refr)
}

/// Names, with names or constants behind them.
fn is_path(expr: &ExprRef) -> bool {
    match expr.as_ref() {
        Expr::Var { .. } => true,
        Expr::RefDot { refr, .. } => is_path(refr),
        Expr::RefBrack { refr, index, .. } => is_literal(index) && is_path(refr),
        _ => is_literal(expr),
    }
}

/// True when `term` has a value whenever the body of its comprehension succeeds.
pub(super) fn is_defined(term: &ExprRef, query: &Query, outer: &Scope) -> bool {
    match term.as_ref() {
        Expr::Var { span, .. } => outer.holds(span.text()) || is_bound(span.text(), query),
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().all(|item| is_defined(item, query, outer)),
        Expr::Object { fields, .. } => {
            fields.iter().all(|(_, key, value)| is_defined(key, query, outer) && is_defined(value, query, outer))
        }
        _ => is_literal(term),
    }
}

/// True for a name that ranges over something, or that one element of it is given to.
fn is_bound(name: &str, query: &Query) -> bool {
    query.stmts.iter().any(|statement| match &statement.literal {
        Literal::SomeIn { key, value, .. } => key.iter().chain([value]).any(|pattern| is_named(pattern, name)),
        Literal::Expr { expr, .. } => match expr.as_ref() {
            Expr::AssignExpr { lhs, rhs, .. } => {
                let is_element =
                    matches!(rhs.as_ref(), Expr::RefBrack { index, .. } if matches!(index.as_ref(), Expr::Var { .. }));
                is_named(lhs, name) && (is_element || is_literal(rhs))
            }
            Expr::RefBrack { index, .. } => is_named(index, name),
            _ => false,
        },
        Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => false,
    })
}

fn is_named(expr: &ExprRef, name: &str) -> bool {
    match expr.as_ref() {
        Expr::Var { span, .. } => span.text() == name,
        Expr::Array { items, .. } => items.iter().any(|item| is_named(item, name)),
        _ => false,
    }
}
