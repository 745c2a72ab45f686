//! What each rule refers to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use regorus::unstable::{Expr, ExprRef, Module, Ref, Rule, RuleHead};

use crate::analysis::InputPaths;
use crate::analysis::refs::{Names, package_of, parse};
use crate::analysis::walk::Walker;

/// Everything that the definitions of one rule refer to.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleFacts {
    /// `file:line` of the first definition.
    pub(crate) at: String,
    /// Paths under `data` that are read or called, starting with `data`; each may name a rule, a part of one, or
    /// a folder of rules.
    pub(crate) refs: BTreeSet<Vec<String>>,
    /// The ones among `refs` that go on with a part known only at run time.
    pub(crate) dynamic_refs: BTreeSet<Vec<String>>,
    /// The ones among `refs` that go on with a number.
    pub(crate) numbered_refs: BTreeSet<Vec<String>>,
    /// Calls to names that are no rule: builtins, or unknown functions. With the first place of use.
    pub(crate) builtins: BTreeMap<String, String>,
    /// What is read of `input`.
    pub(crate) input: InputPaths,
    /// Forms that the register machine refuses or evaluates differently from OPA.
    pub(crate) rvm_blockers: BTreeSet<&'static str>,
    /// The values that its definitions may give, as source text; several mean that they may conflict.
    pub(crate) values: BTreeSet<String>,
    /// True for rules that collect a set: their values cannot conflict.
    pub(crate) is_set: bool,
    /// True when the value taken if no definition applies may let a request through.
    pub(crate) default_may_allow: bool,
    /// Deepest nesting of expressions.
    pub(crate) depth: usize,
}

/// The facts of all rules of `modules`, by their full path (which starts with `data`).
pub(crate) fn collect(modules: &[Ref<Module>]) -> BTreeMap<Vec<String>, RuleFacts> {
    let mut rules_of: HashMap<Vec<String>, HashSet<String>> = HashMap::new();
    for module in modules {
        let names = rules_of.entry(package_of(module)).or_default();
        names.extend(module.policy.iter().filter_map(|r| parse(head_ref(r), &mut Vec::new())).map(|r| r.root));
    }
    let mut facts = BTreeMap::new();
    for module in modules {
        let rules = rules_of.get(&package_of(module)).cloned().unwrap_or_default();
        let names = Names::of(module, rules);
        for rule in &module.policy {
            let mut indices = Vec::new();
            let Some(head) = parse(head_ref(rule), &mut indices) else { continue };
            let path: Vec<String> = names.package.iter().cloned().chain([head.root]).chain(head.path).collect();
            let entry: &mut RuleFacts = facts.entry(path).or_default();
            if entry.at.is_empty() {
                entry.at = format!("{}:{}", rule.span().source.file(), rule.span().line);
            }
            Walker::new(&names, entry).rule(rule);
        }
    }
    facts
}

/// The reference in the head of a rule.
pub(crate) fn head_ref(rule: &Rule) -> &ExprRef {
    match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. } => refr,
        },
    }
}

/// True for literals, and for arrays, sets and objects of them.
pub(crate) fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. } => {
            true
        }
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().all(|i| is_literal(i)),
        Expr::Object { fields, .. } => fields.iter().all(|(_, k, v)| is_literal(k) && is_literal(v)),
        Expr::UnaryExpr { expr, .. } => is_literal(expr),
        Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. }
        | Expr::Call { .. }
        | Expr::RefDot { .. }
        | Expr::RefBrack { .. }
        | Expr::BinExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => false,
    }
}
