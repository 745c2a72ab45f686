//! Every expression of a module.

use regorus::unstable::{Expr, ExprRef, Literal, LiteralStmt, Module, Query, Rule, RuleHead};

/// What is told.
pub(super) enum Seen<'a> {
    /// A statement, before the expressions in it.
    Statement(&'a LiteralStmt),
    /// An expression, and whether it is a statement of its own.
    Expr(&'a ExprRef, bool),
}

/// Says whether to go on inside.
type Visitor<'v> = dyn FnMut(Seen<'_>) -> bool + 'v;

/// Shows all expressions in the heads' values and in the bodies of all rules.
pub(super) fn expressions(module: &Module, visitor: &mut dyn FnMut(&ExprRef, bool) -> bool) {
    self::module(module, &mut |seen| match seen {
        Seen::Statement(_) => true,
        Seen::Expr(expr, is_statement) => visitor(expr, is_statement),
    });
}

/// Shows all statements and expressions.
pub(super) fn module(module: &Module, visitor: &mut Visitor<'_>) {
    for rule in &module.policy {
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
        let (key, assign) = match head {
            RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => (None, assign.as_ref()),
            RuleHead::Set { key, .. } => (key.as_ref(), None),
        };
        let assigned = assign.into_iter().chain(bodies.iter().filter_map(|body| body.assign.as_ref()));
        assigned.map(|assign| &assign.value).chain(key).for_each(|value| expr(value, false, visitor));
        bodies.iter().for_each(|body| query(&body.query, visitor));
    }
}

fn query(query: &Query, visitor: &mut Visitor<'_>) {
    for statement in &query.stmts {
        if !visitor(Seen::Statement(statement)) {
            continue;
        }
        match &statement.literal {
            Literal::Expr { expr, .. } => self::expr(expr, true, visitor),
            Literal::NotExpr { expr, .. } => self::expr(expr, false, visitor),
            Literal::SomeIn { collection, .. } => expr(collection, false, visitor),
            Literal::Every { domain, query: body, .. } => {
                expr(domain, false, visitor);
                self::query(body, visitor);
            }
            Literal::SomeVars { .. } => {}
        }
    }
}

/// Queries stand in comprehensions, which stand anywhere in an expression.
fn expr(expr: &ExprRef, is_statement: bool, visitor: &mut Visitor<'_>) {
    if !visitor(Seen::Expr(expr, is_statement)) {
        return;
    }
    let mut inside = |expr: &ExprRef| self::expr(expr, false, visitor);
    match expr.as_ref() {
        Expr::ArrayCompr { term, query: body, .. } | Expr::SetCompr { term, query: body, .. } => {
            inside(term);
            query(body, visitor);
        }
        Expr::ObjectCompr { key, value, query: body, .. } => {
            inside(key);
            inside(value);
            query(body, visitor);
        }
        Expr::Array { items, .. } | Expr::Set { items, .. } | Expr::Call { params: items, .. } => {
            items.iter().for_each(inside);
        }
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            inside(key);
            inside(value);
        }),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            inside(lhs);
            inside(rhs);
        }
        Expr::UnaryExpr { expr, .. } => inside(expr),
        Expr::RefDot { refr, .. } => inside(refr),
        Expr::RefBrack { refr, index, .. } => {
            inside(refr);
            inside(index);
        }
        Expr::Membership { key, value, collection, .. } => key.iter().chain([value, collection]).for_each(inside),
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
    }
}
