//! Which comprehensions the register machine evaluates as OPA does.

use regorus::unstable::{Expr, ExprRef, Literal, Query};

use crate::analysis::facts::is_literal;
use crate::analysis::scope::Scope;

/// True when the first statement ranges over something, so that whatever fails then fails inside a loop of the comprehension.
pub(super) fn begins_with_loop(query: &Query) -> bool {
    let mut literals = query.stmts.iter().map(|statement| &statement.literal);
    match literals.find(|literal| !matches!(literal, Literal::SomeVars { .. })) {
        Some(Literal::SomeIn { collection, .. }) => is_path(collection),
        Some(Literal::Expr { expr, .. }) => {
            let Expr::AssignExpr { lhs, rhs, .. } = expr.as_ref() else { return is_loop(expr, query) };
            matches!(lhs.as_ref(), Expr::Var { .. }) && is_loop(rhs, query)
        }
        None | Some(Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. }) => false,
    }
}

/// `path[_]`, or `path[x]` where the body declares `x`: any other name may be bound outside. The path itself cannot fail.
fn is_loop(expr: &ExprRef, query: &Query) -> bool {
    let Expr::RefBrack { refr, index, .. } = expr.as_ref() else { return false };
    let Expr::Var { span, .. } = index.as_ref() else { return false };
    let mut declared = query.stmts.iter().filter_map(|statement| {
        if let Literal::SomeVars { vars, .. } = &statement.literal { Some(vars) } else { None }
    });
    is_path(refr) && (span.text() == "_" || declared.any(|vars| vars.iter().any(|var| var.text() == span.text())))
}

/// Names, with names or constants behind them.
fn is_path(expr: &ExprRef) -> bool {
    let mut at = expr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = at.as_ref() {
        if let Expr::RefBrack { index, .. } = at.as_ref()
            && !is_literal(index)
        {
            return false;
        }
        at = refr;
    }
    matches!(at.as_ref(), Expr::Var { .. }) || is_literal(at)
}

/// True when `term` has a value whenever the body of its comprehension succeeds.
pub(super) fn is_defined(term: &ExprRef, query: &Query, outer: &Scope) -> bool {
    if let Expr::Var { span, .. } = term.as_ref() {
        return outer.holds(span.text()) || is_bound(span.text(), query);
    }
    if let Expr::Object { fields, .. } = term.as_ref() {
        let mut parts = fields.iter().flat_map(|(_, key, value)| [key, value]);
        return parts.all(|part| is_defined(part, query, outer));
    }
    if let Expr::Array { items, .. } | Expr::Set { items, .. } = term.as_ref() {
        return items.iter().all(|item| is_defined(item, query, outer));
    }
    is_literal(term)
}

/// True for a name that ranges over something, or that is given a constant or one element of something.
fn is_bound(name: &str, query: &Query) -> bool {
    query.stmts.iter().any(|statement| match &statement.literal {
        Literal::SomeIn { key, value, .. } => key.iter().chain([value]).any(|pattern| is_named(pattern, name)),
        Literal::Expr { expr, .. } => {
            if let Expr::AssignExpr { lhs, rhs, .. } = expr.as_ref() {
                return is_named(lhs, name) && (index_of(rhs).is_some() || is_literal(rhs));
            }
            index_of(expr).is_some_and(|index| is_named(index, name))
        }
        Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => false,
    })
}

/// The name in the last brackets of a reference.
fn index_of(expr: &ExprRef) -> Option<&ExprRef> {
    let Expr::RefBrack { index, .. } = expr.as_ref() else { return None };
    matches!(index.as_ref(), Expr::Var { .. }).then_some(index)
}

fn is_named(expr: &ExprRef, name: &str) -> bool {
    if let Expr::Array { items, .. } = expr.as_ref() {
        return items.iter().any(|item| is_named(item, name));
    }
    matches!(expr.as_ref(), Expr::Var { span, .. } if span.text() == name)
}
