//! Which rule can reach which.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{BUILTINS, Module, Ref};

use crate::analysis::facts::collect;
use crate::analysis::refs::package_of;
use crate::analysis::{InputPaths, RuleFacts};
use crate::builtins::is_added;

/// The longest chain of rules and functions that may call each other. Each level takes stack.
const MAX_CALL_DEPTH: usize = 64;
/// The deepest nesting of one expression.
const MAX_EXPRESSION_DEPTH: usize = 100;
/// The most rules (the limit of the register machine).
const MAX_RULES: usize = 4_000;

/// All rules and the references between them.
#[derive(Debug)]
pub(crate) struct Graph {
    paths: Vec<Vec<String>>,
    facts: Vec<RuleFacts>,
    edges: Vec<Vec<usize>>,
    index: BTreeMap<Vec<String>, usize>,
    packages: BTreeSet<Vec<String>>,
}

/// What can be reached from an entry point.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// What can be read of `input`.
    pub(crate) input: InputPaths,
    /// The builtins that can be called.
    pub(crate) builtins: BTreeSet<String>,
    /// Why the register machine must not be used.
    pub(crate) rvm_blockers: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done(usize),
}

impl Graph {
    /// Links the rules of these modules.
    pub(crate) fn new(modules: &[Ref<Module>]) -> Self {
        let facts = collect(modules);
        let packages = modules.iter().map(|module| package_of(module)).collect();
        let index: BTreeMap<Vec<String>, usize> = facts.keys().cloned().enumerate().map(|(i, p)| (p, i)).collect();
        let mut graph = Self { paths: Vec::new(), facts: Vec::new(), edges: Vec::new(), index, packages };
        for (path, fact) in facts {
            let mut targets: BTreeSet<usize> = BTreeSet::new();
            for reference in &fact.refs {
                targets.extend(graph.targets(reference));
            }
            graph.edges.push(targets.into_iter().collect());
            graph.paths.push(path);
            graph.facts.push(fact);
        }
        graph
    }

    /// The rules that a reference may mean: those it goes through, and all that lie under it.
    fn targets(&self, reference: &[String]) -> Vec<usize> {
        let mut found: Vec<usize> =
            (1..reference.len()).filter_map(|n| reference.get(..n).and_then(|p| self.index.get(p)).copied()).collect();
        found.extend(
            self.index.range(reference.to_vec()..).take_while(|(p, _)| p.starts_with(reference)).map(|(_, i)| *i),
        );
        found
    }

    /// True when a rule has exactly this path.
    pub(crate) fn is_rule(&self, path: &[String]) -> bool {
        self.index.contains_key(path)
    }

    /// True when a reference to `path` means at least one rule.
    pub(crate) fn means_rules(&self, path: &[String]) -> bool {
        !self.targets(path).is_empty()
    }

    /// Everything that makes these rules unfit to run, as messages that start with `file:line:`.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.facts.len() > MAX_RULES {
            problems.push(format!("{} rules: at most {MAX_RULES} are supported", self.facts.len()));
            return problems;
        }
        for fact in &self.facts {
            if fact.depth > MAX_EXPRESSION_DEPTH {
                problems.push(format!("{}: an expression is nested deeper than {MAX_EXPRESSION_DEPTH}", fact.at));
            }
            for (name, at) in &fact.builtins {
                if !is_builtin(name) {
                    problems.push(format!("{at}: unknown function `{name}`"));
                }
            }
        }
        let mut marks = vec![Mark::New; self.facts.len()];
        for node in 0..self.facts.len() {
            let mut trail = Vec::new();
            self.visit(node, &mut marks, &mut trail, &mut problems);
        }
        problems
    }

    /// Rules that a data file defines too, as messages that start with `file:line:`.
    pub(crate) fn data_conflicts(&self, data: &Value) -> Vec<String> {
        let is_taken = |path: &[String]| {
            let mut at = data;
            for name in path.iter().skip(1) {
                match at {
                    Value::Object(object) => match object.get(&Value::from(name.as_str())) {
                        Some(next) => at = next,
                        None => return false,
                    },
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Set(_)
                    | Value::Undefined => return true,
                }
            }
            true
        };
        let taken = self.paths.iter().zip(&self.facts).filter(|(path, _)| is_taken(path));
        taken.map(|(p, f)| format!("{}: {} is defined by a rule and by a data file", f.at, p.join("."))).collect()
    }

    /// Large objects of data on the way to a package or in it: the interpreter copies such an object for each evaluation.
    pub(crate) fn data_beside_rules(&self, data: &Value, most: usize) -> Vec<String> {
        let mut found = BTreeSet::new();
        for package in &self.packages {
            let mut at = data;
            for depth in 1..=package.len() {
                let Value::Object(object) = at else { break };
                if object.len() > most {
                    let place = package.get(..depth).map(|path| path.join(".")).unwrap_or_default();
                    let entries = object.len();
                    found.insert(format!(
                        "{place} has {entries} entries of data and leads to rules that the interpreter evaluates: it copies them for \
                         each request; move the data below a key of its own, beside the packages"
                    ));
                }
                match package.get(depth).and_then(|name| object.get(&Value::from(name.as_str()))) {
                    Some(next) => at = next,
                    None => break,
                }
            }
        }
        found.into_iter().collect()
    }

    /// Depth-first search; gives the length of the longest chain from `node`.
    fn visit(&self, node: usize, marks: &mut [Mark], trail: &mut Vec<usize>, problems: &mut Vec<String>) -> usize {
        match marks.get(node).copied().unwrap_or(Mark::Done(0)) {
            Mark::Done(depth) => return depth,
            Mark::Open => {
                problems.push(self.cycle_message(node, trail));
                return 0;
            }
            Mark::New => {}
        }
        set(marks, node, Mark::Open);
        trail.push(node);
        let mut deepest = 0;
        for next in self.edges.get(node).into_iter().flatten() {
            deepest = deepest.max(self.visit(*next, marks, trail, problems));
        }
        trail.pop();
        let depth = deepest + 1;
        if depth == MAX_CALL_DEPTH + 1 {
            let at = self.facts.get(node).map_or("", |f| f.at.as_str());
            problems.push(format!(
                "{at}: rule {} starts a chain of more than {MAX_CALL_DEPTH} rules calling each other",
                self.name(node)
            ));
        }
        set(marks, node, Mark::Done(depth));
        depth
    }

    fn cycle_message(&self, node: usize, trail: &[usize]) -> String {
        let start = trail.iter().position(|n| *n == node).unwrap_or(0);
        let names: Vec<String> =
            trail.iter().skip(start).chain(std::iter::once(&node)).map(|n| self.name(*n)).collect();
        let at = self.facts.get(node).map_or("", |f| f.at.as_str());
        format!("{at}: recursive rules are not allowed: {}", names.join(" -> "))
    }

    fn name(&self, node: usize) -> String {
        self.paths.get(node).map(|p| p.join(".")).unwrap_or_default()
    }

    /// What the rules that `entry` means can reach.
    pub(crate) fn reach(&self, entry: &[String]) -> Reach {
        self.reach_from(entry, false)
    }

    /// As [`Graph::reach`], for an entry point at which undefined denies nothing.
    pub(crate) fn reach_strictly(&self, entry: &[String]) -> Reach {
        self.reach_from(entry, true)
    }

    fn reach_from(&self, entry: &[String], is_strict: bool) -> Reach {
        let mut reach = Reach::default();
        if !self.is_rule(entry) {
            reach.rvm_blockers.insert("the entry point is not a single rule".to_owned());
        }
        let first = self.targets(entry);
        let mut seen: BTreeSet<usize> = first.iter().copied().collect();
        let mut open: Vec<usize> = first;
        while let Some(node) = open.pop() {
            if let Some(fact) = self.facts.get(node) {
                self.take(fact, is_strict || self.paths.get(node).is_none_or(|p| p != entry), &mut reach);
            }
            for next in self.edges.get(node).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        reach
    }

    fn take(&self, fact: &RuleFacts, is_inner: bool, reach: &mut Reach) {
        reach.input.merge(&fact.input);
        reach.builtins.extend(fact.builtins.keys().cloned());
        for blocker in &fact.rvm_blockers {
            reach.rvm_blockers.insert(format!("{}: {blocker}", fact.at));
        }
        for path in &fact.dynamic_refs {
            if self.means_rules(path) {
                reach.rvm_blockers.insert(format!("{}: rules chosen at run time under {}", fact.at, path.join(".")));
            }
        }
        for path in &fact.numbered_refs {
            // In data the machine does not find an object's member "2" by the number 2, as OPA does.
            if !self.means_rules(path) {
                let name = path.join(".");
                reach.rvm_blockers.insert(format!("{}: {name} is data, and looked into by a number", fact.at));
            }
        }
        let is_empty =
            |path: &Vec<String>| !self.means_rules(path) && self.packages.iter().any(|p| p.starts_with(path));
        for path in fact.refs.iter().filter(|path| is_empty(path)) {
            reach.rvm_blockers.insert(format!("{}: {} is a package without rules", fact.at, path.join(".")));
        }
        for path in &fact.refs {
            if !self.is_rule(path) && self.index.range(path.clone()..).next().is_some_and(|(p, _)| p.starts_with(path))
            {
                reach.rvm_blockers.insert(format!("{}: {} stands for all rules under it", fact.at, path.join(".")));
            }
        }
        // The register machine takes a conflict between two values for undefined where OPA fails, and `not`, `else`
        // or a default could turn that into a yes. At the entry point itself undefined denies.
        if (is_inner || fact.default_may_allow) && !fact.is_set && fact.values.len() > 1 {
            reach
                .rvm_blockers
                .insert(format!("{}: a rule or function with several values, which may conflict", fact.at));
        }
    }
}

fn set(marks: &mut [Mark], node: usize, mark: Mark) {
    if let Some(slot) = marks.get_mut(node) {
        *slot = mark;
    }
}

/// True for functions that an engine brings along.
pub(crate) fn is_builtin(name: &str) -> bool {
    name == "print" || BUILTINS.contains_key(name) || is_added(name)
}
