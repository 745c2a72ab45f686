//! Names that may be undefined without anybody noticing.
//!
//! The register machine goes on where `x := input.missing` has no value, and calls a function whatever its arguments are. Both are
//! harmless only where a later part of the same body needs the value, and fails without one.

use regorus::unstable::{AssignOp, Expr, ExprRef, Literal, Query};

use crate::analysis::facts::is_literal;

/// True when every `x := …` of `query` that may be undefined is needed by another statement, or by one of `values`.
pub(super) fn assigned_are_needed(query: &Query, values: &[&ExprRef]) -> bool {
    query.stmts.iter().all(|statement| {
        let Literal::Expr { expr, .. } = &statement.literal else { return true };
        let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr.as_ref() else { return true };
        let Expr::Var { span, .. } = lhs.as_ref() else { return true };
        has_value(rhs) || is_needed(span.text(), query, values)
    })
}

/// True when each argument is needed by `query` or by one of `values`. A pattern needs what it is compared with.
pub(super) fn arguments_are_needed(args: &[ExprRef], query: Option<&Query>, values: &[&ExprRef]) -> bool {
    args.iter().all(|arg| {
        let Expr::Var { span, .. } = arg.as_ref() else { return true };
        let in_values = || values.iter().any(|value| mentions(value, span.text()));
        query.map_or_else(in_values, |query| is_needed(span.text(), query, values))
    })
}

fn is_needed(name: &str, query: &Query, values: &[&ExprRef]) -> bool {
    values.iter().any(|value| mentions(value, name))
        || query.stmts.iter().any(|statement| match &statement.literal {
            Literal::Expr { expr, .. } => {
                let Expr::AssignExpr { op, lhs, rhs, .. } = expr.as_ref() else { return mentions(expr, name) };
                // What is assigned is undefined then, and has to be needed itself.
                mentions(rhs, name) || matches!(op, AssignOp::Eq) && mentions(lhs, name)
            }
            Literal::SomeIn { collection, .. } => mentions(collection, name),
            Literal::Every { domain, .. } => mentions(domain, name),
            Literal::SomeVars { .. } | Literal::NotExpr { .. } => false,
        })
}

/// True for what always has a value: constants, comprehensions, and elements that are ranged over.
fn has_value(expr: &ExprRef) -> bool {
    match expr.as_ref() {
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => true,
        Expr::RefBrack { index, .. } => matches!(index.as_ref(), Expr::Var { span, .. } if span.text() == "_"),
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::Array { .. }
        | Expr::Set { .. }
        | Expr::Object { .. }
        | Expr::Call { .. }
        | Expr::UnaryExpr { .. }
        | Expr::RefDot { .. }
        | Expr::BinExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => is_literal(expr),
    }
}

/// True when `expr` has no value if `name` has none. A comprehension has one in any case.
fn mentions(expr: &ExprRef, name: &str) -> bool {
    let any = |all: &[ExprRef]| all.iter().any(|one| mentions(one, name));
    match expr.as_ref() {
        Expr::Var { span, .. } => span.text() == name,
        Expr::Array { items, .. } | Expr::Set { items, .. } | Expr::Call { params: items, .. } => any(items),
        Expr::Object { fields, .. } => {
            fields.iter().any(|(_, key, value)| mentions(key, name) || mentions(value, name))
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => mentions(lhs, name) || mentions(rhs, name),
        Expr::UnaryExpr { expr, .. } => mentions(expr, name),
        Expr::RefDot { refr, .. } => mentions(refr, name),
        Expr::RefBrack { refr, index, .. } => mentions(refr, name) || mentions(index, name),
        Expr::Membership { value, collection, .. } => mentions(value, name) || mentions(collection, name),
        Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. }
        | Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. } => false,
    }
}
