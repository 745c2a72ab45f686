//! Walks one rule and writes down what it refers to.

use regorus::unstable::{
    BUILTINS, Expr, ExprRef, Literal, LiteralStmt, Query, Rule, RuleAssign, RuleBody, RuleHead, Span, WithModifier,
};

use crate::analysis::comprehension::{begins_with_loop, is_defined};
use crate::analysis::facts::{RuleFacts, is_literal};
use crate::analysis::refs::{Names, Reference, parse};
use crate::analysis::scope::Scope;
use crate::analysis::undefined::{arguments_are_needed, assigned_are_needed};

/// Writes the facts of one rule.
pub(crate) struct Walker<'a> {
    names: &'a Names,
    facts: &'a mut RuleFacts,
    depth: usize,
    /// How many comprehensions and `every` enclose the current place.
    nested: usize,
    /// True in the body of an `every`, and not in a comprehension there.
    in_every: bool,
    /// True when a body or value ranges over several bindings, so that one definition may give several values.
    iterates: bool,
}

impl<'a> Walker<'a> {
    /// A walker that resolves names with `names` and adds to `facts`.
    pub(crate) fn new(names: &'a Names, facts: &'a mut RuleFacts) -> Self {
        Self { names, facts, depth: 0, nested: 0, in_every: false, iterates: false }
    }

    /// Walks one definition.
    pub(crate) fn rule(mut self, rule: &Rule) {
        match rule {
            Rule::Default { refr, args, value, .. } => {
                if !args.is_empty() {
                    self.block("a default for a function");
                }
                self.facts.default_may_allow |= value.span().text().contains("true");
                if !is_literal(value) {
                    self.block("a default that is not a literal");
                }
                self.head(refr);
                self.expr(value, &Scope::default());
            }
            Rule::Spec { head, bodies, .. } => self.spec(head, bodies),
        }
    }

    fn spec(&mut self, head: &RuleHead, bodies: &[RuleBody]) {
        let mut outer = Scope::default();
        let (refr, key, assign) = match head {
            RuleHead::Compr { refr, assign, .. } => (refr, None, assign.as_ref()),
            RuleHead::Set { refr, key, .. } => {
                self.facts.is_set = true;
                (refr, key.as_ref(), None)
            }
            RuleHead::Func { refr, args, assign, .. } => {
                if !matches!(refr.as_ref(), Expr::Var { .. }) {
                    self.block("a function whose name is a reference");
                }
                for arg in args {
                    outer.declare(arg);
                }
                // Patterns may hold references of their own, for instance object keys.
                for arg in args {
                    self.expr(arg, &outer);
                }
                (refr, None, assign.as_ref())
            }
        };
        self.head(refr);
        if assign.is_some() && matches!(refr.as_ref(), Expr::RefBrack { .. }) {
            // The machine lets the last of two values for one key win, where OPA fails.
            self.block("an object rule, whose keys may conflict");
        }
        self.needs(head, bodies);
        let mut indices = Vec::new();
        parse(refr, &mut indices);
        let parts: Vec<&ExprRef> = key.into_iter().chain(assign.map(|a| &a.value)).chain(indices).collect();
        if bodies.is_empty() {
            for part in &parts {
                self.expr(part, &outer);
            }
        }
        for body in bodies {
            let inner = outer.inside(&body.query);
            for part in &parts {
                self.expr(part, &inner);
            }
            if let Some(assign) = &body.assign {
                self.expr(&assign.value, &inner);
            }
            self.query(&body.query, &inner);
        }
        self.values(assign, bodies);
    }

    /// Remembers the value that a definition gives: `true` when none is written. The branches of an `else` chain
    /// exclude each other, so together they count as one value of their own.
    fn values(&mut self, assign: Option<&RuleAssign>, bodies: &[RuleBody]) {
        let has_else = bodies.iter().any(|b| b.is_else);
        let text = match assign {
            _ if has_else => bodies.first().map(|b| place(&b.span)).unwrap_or_default(),
            None => "true".to_owned(),
            Some(a) if is_literal(&a.value) => a.value.span().text().to_owned(),
            // Two definitions may compute different values, even from the same text.
            Some(a) => place(&a.span),
        };
        let is_computed = assign.into_iter().chain(bodies.iter().filter_map(|b| b.assign.as_ref()));
        if self.iterates && is_computed.into_iter().any(|a| !is_literal(&a.value)) {
            // The machine takes the last of several values, where OPA fails.
            self.block("a value that may differ from one binding to the next");
            self.facts.values.insert(format!("{text} again"));
        }
        self.facts.values.insert(text);
    }

    /// Looks for undefined values that the machine would not notice.
    fn needs(&mut self, head: &RuleHead, bodies: &[RuleBody]) {
        let (args, value) = match head {
            RuleHead::Compr { assign, .. } => (&[][..], assign.as_ref().map(|assign| &assign.value)),
            RuleHead::Func { args, assign, .. } => (args.as_slice(), assign.as_ref().map(|assign| &assign.value)),
            RuleHead::Set { key, .. } => (&[][..], key.as_ref()),
        };
        // Where an `else` follows, a value that is undefined does not lead there.
        let value = value.filter(|_| bodies.len() < 2);
        let values: Vec<&ExprRef> = value.into_iter().collect();
        let assigned = bodies.iter().all(|body| assigned_are_needed(&body.query, &values));
        if !assigned {
            self.block(UNNOTICED);
        }
        let with_bodies = || bodies.iter().all(|body| arguments_are_needed(args, Some(&body.query), &values));
        if !(if bodies.is_empty() { arguments_are_needed(args, None, &values) } else { with_bodies() }) {
            self.block("a function that does not need an argument, which may be undefined");
        }
    }

    /// Looks at the form of a rule's name.
    fn head(&mut self, refr: &ExprRef) {
        if matches!(refr.as_ref(), Expr::Var { .. }) {
            return;
        }
        if let Expr::RefBrack { refr: inner, index, .. } = refr.as_ref()
            && matches!(inner.as_ref(), Expr::Var { .. })
        {
            if !matches!(index.as_ref(), Expr::Var { .. }) {
                self.block("an object rule with a constant or computed key");
            }
            return;
        }
        self.block("a rule whose name is a reference");
    }

    fn query(&mut self, query: &Query, scope: &Scope) {
        for statement in &query.stmts {
            self.statement(statement, scope);
        }
    }

    fn statement(&mut self, statement: &LiteralStmt, scope: &Scope) {
        match &statement.literal {
            Literal::SomeVars { .. } => self.iterates |= self.nested == 0,
            Literal::SomeIn { key, value, collection, .. } => {
                self.iterates |= self.nested == 0;
                for expr in key.iter().chain([value, collection]) {
                    self.expr(expr, scope);
                }
            }
            Literal::Expr { expr, .. } => self.expr(expr, scope),
            Literal::NotExpr { expr, .. } => {
                if self.nested > 0 {
                    // The machine calls a function there although an argument is undefined.
                    self.block("`not` inside a comprehension or `every`");
                }
                self.expr(expr, scope);
            }
            Literal::Every { key, value, domain, query, .. } => {
                self.expr(domain, scope);
                let named = scope.with_names(key.iter().map(Span::text).chain([value.text()]));
                if !assigned_are_needed(query, &[]) {
                    self.block(UNNOTICED);
                }
                let around = std::mem::replace(&mut self.in_every, true);
                self.nested += 1;
                self.query(query, &named.inside(query));
                self.nested -= 1;
                self.in_every = around;
            }
        }
        for modifier in &statement.with_mods {
            self.with(modifier, scope);
        }
    }

    /// `with f as g` makes any callee call `g` instead of `f`: both count as called from here. The replaced
    /// target itself is noted as a reference, so that a rule which replaces a part of itself is a cycle, as in OPA.
    fn with(&mut self, modifier: &WithModifier, scope: &Scope) {
        self.block("`with`");
        self.expr(&modifier.refr, scope);
        self.expr(&modifier.r#as, scope);
        if let Some(path) = parse(&modifier.r#as, &mut Vec::new()).and_then(|r| self.resolve_call(&r)) {
            self.facts.refs.insert(path);
        }
    }

    fn expr(&mut self, expr: &ExprRef, scope: &Scope) {
        self.depth += 1;
        self.facts.depth = self.facts.depth.max(self.depth);
        match expr.as_ref() {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr, scope),
            Expr::Array { items, .. } | Expr::Set { items, .. } => self.all(items, scope),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.expr(key, scope);
                    self.expr(value, scope);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                if !begins_with_loop(query) {
                    // The machine does not leave it when a condition fails outside of a loop.
                    self.block("a comprehension that does not begin with a loop");
                }
                if matches!(expr.as_ref(), Expr::ArrayCompr { .. }) && !is_defined(term, query, scope) {
                    // The machine puts undefined values into arrays.
                    self.block("an array comprehension whose values may be undefined");
                }
                if !assigned_are_needed(query, &[term]) {
                    self.block(UNNOTICED);
                }
                let inner = scope.inside(query);
                let around = std::mem::replace(&mut self.in_every, false);
                self.nested += 1;
                self.expr(term, &inner);
                self.query(query, &inner);
                self.nested -= 1;
                self.in_every = around;
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                // The machine lets the last of two values for one key win, where OPA fails.
                self.block("an object comprehension, whose keys may conflict");
                let inner = scope.inside(query);
                self.nested += 1;
                self.expr(key, &inner);
                self.expr(value, &inner);
                self.query(query, &inner);
                self.nested -= 1;
            }
            Expr::Call { fcn, params, .. } => {
                self.call(fcn, scope);
                self.all(params, scope);
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr, scope),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expr(lhs, scope);
                self.expr(rhs, scope);
            }
            Expr::Membership { key, value, collection, .. } => {
                if key.is_some() {
                    // The machine finds pairs in sets, too.
                    self.block("`in` with a key and a value");
                }
                for expr in key.iter().chain([value, collection]) {
                    self.expr(expr, scope);
                }
            }
        }
        self.depth -= 1;
    }

    fn all(&mut self, items: &[ExprRef], scope: &Scope) {
        for item in items {
            self.expr(item, scope);
        }
    }

    fn reference(&mut self, expr: &ExprRef, scope: &Scope) {
        let mut indices = Vec::new();
        let mut numbered = false;
        let parsed = parse(expr, &mut indices);
        for index in indices {
            // A variable in brackets may range over all keys.
            self.iterates |= self.nested == 0 && matches!(index.as_ref(), Expr::Var { .. });
            if self.in_every && matches!(index.as_ref(), Expr::Var { span, .. } if !scope.holds(span.text())) {
                self.block("a name that ranges over something in the body of `every`");
            }
            numbered |= matches!(index.as_ref(), Expr::Number { .. });
            self.expr(index, scope);
        }
        let Some(reference) = parsed else { return };
        let path = if reference.root == "input" || reference.root == "data" {
            Some(vec![reference.root])
        } else if scope.holds(&reference.root) {
            None
        } else {
            self.names.expand(&reference.root)
        };
        let Some(mut path) = path else { return };
        path.extend(reference.path);
        if path.first().is_some_and(|root| root == "input") {
            self.facts.input.add(path.into_iter().skip(1).collect());
            return;
        }
        if reference.dynamic {
            self.facts.dynamic_refs.insert(path.clone());
        }
        if numbered {
            self.facts.numbered_refs.insert(path.clone());
        }
        self.facts.refs.insert(path);
    }

    /// The name in front of the brackets of a call: never a local variable.
    fn call(&mut self, fcn: &ExprRef, scope: &Scope) {
        let mut indices = Vec::new();
        let Some(reference) = parse(fcn, &mut indices) else {
            self.all(&indices.into_iter().cloned().collect::<Vec<_>>(), scope);
            return;
        };
        let resolved = self.resolve_call(&reference);
        let is_rule = resolved.is_some();
        if let Some(path) = resolved {
            if reference.dynamic {
                self.facts.dynamic_refs.insert(path.clone());
            }
            self.facts.refs.insert(path);
        }
        let name = std::iter::once(reference.root).chain(reference.path).collect::<Vec<_>>().join(".");
        // A rule called `time` does not stop `time.now_ns` from being the builtin: both are noted.
        if is_rule && !BUILTINS.contains_key(name.as_str()) {
            return;
        }
        match name.as_str() {
            "walk" => self.block("`walk`"),
            "print" => self.block("`print`"),
            _ => {}
        }
        let at = format!("{}:{}", fcn.span().source.file(), fcn.span().line);
        self.facts.builtins.entry(name).or_insert(at);
    }

    /// The rule that a call may mean; `None` when only a builtin has this name.
    fn resolve_call(&self, reference: &Reference) -> Option<Vec<String>> {
        let head = if reference.root == "data" {
            vec!["data".to_owned()]
        } else if let Some(path) = self.names.import(&reference.root) {
            path.to_vec()
        } else {
            self.names.expand(&reference.root)?
        };
        Some(head.into_iter().chain(reference.path.iter().cloned()).collect())
    }

    fn block(&mut self, what: &'static str) {
        self.facts.rvm_blockers.insert(what);
    }
}

const UNNOTICED: &str = "a name that may stay undefined, and is not needed";

/// `file:line` of a part of a source.
fn place(span: &Span) -> String {
    format!("{}:{}:{}", span.source.file(), span.line, span.col)
}
