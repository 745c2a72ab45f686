//! `and`, `or` and `not { … }`, in words of comprehensions.
//!
//! | source | becomes |
//! |---|---|
//! | `A and B` | `[] != [1 \| true; [] != [1 \| true; A]; [] != [1 \| true; B]]` |
//! | `A or B` | `[] == [1 \| true; [] == [1 \| true; A]; [] == [1 \| true; B]]` |
//! | `not { A }` | `[] == [1 \| true; A]` |
//!
//! A comprehension is a scope of its own, gives one value however often its body succeeds, and stops at the first statement that
//! fails. The empty list and `true` come first because the engine's parser reads what comes first twice.

use super::imports::Imports;
use super::logic::Node;
use super::statement::Statements;
use super::token::{Kind, Tokens};
use super::writer::Writer;

/// The source without the words, when it imports them. One that uses them in a way that nobody can read is made one that the engine
/// refuses.
pub(super) fn rewrite(text: &str, v0: bool) -> Option<String> {
    if !text.contains("future.keywords") && !text.contains("rego.v2") {
        return None;
    }
    let tokens = Tokens::of(text)?;
    let imports = Imports::of(&tokens, v0);
    let statements = imports.statements(&tokens)?;
    let mut joined = Joined { statements, writer: Writer::new(text) };
    for (from, to, instead) in imports.edits(&tokens, v0) {
        joined.writer.replace(from, to, instead);
    }
    if joined.module().is_some() {
        return joined.writer.finish();
    }
    // The engine might read what is left in another way: a body in braces is a set to it.
    statements.uses_any().then(|| format!("{text}\n{NO_REGO}"))
}

/// What the engine's parser refuses for certain.
const NO_REGO: &str = "$";

struct Joined<'t> {
    statements: Statements<'t>,
    writer: Writer<'t>,
}

impl Joined<'_> {
    fn module(&mut self) -> Option<()> {
        let tokens = self.statements.tokens;
        let mut at = 0;
        while at < tokens.len() {
            if !tokens.is_keyword(at, "if") {
                self.terms(at, at + 1)?;
                at = tokens.after(at);
                continue;
            }
            let (from, next) = (at + 1, tokens.after(at + 1));
            if tokens.is_open(from, '{') && !self.statements.is_joint(next) {
                self.body(from + 1, next - 1)?;
                at = next;
            } else {
                at = self.statements.end(from, tokens.len());
                self.statement(from, at)?;
            }
        }
        Some(())
    }

    fn body(&mut self, from: usize, to: usize) -> Option<()> {
        let mut at = from;
        while at < to {
            let end = self.statements.end(at, to);
            if end > at {
                self.statement(at, end)?;
                at = end;
            } else if self.statements.tokens.is_mark(at, ';') {
                at += 1;
            } else {
                return None;
            }
        }
        Some(())
    }

    fn statement(&mut self, from: usize, to: usize) -> Option<()> {
        let tokens = self.statements.tokens;
        let declares = ["some", "every"].iter().any(|word| tokens.is_keyword(from, word));
        if declares && tokens.level(from, to).any(|at| self.statements.is_joint(at)) {
            return None;
        }
        if tokens.is_keyword(from, "some") {
            return self.terms(from, to);
        }
        if tokens.is_keyword(from, "every") {
            let Some(open) = self.statements.every_body(from, to) else { return self.terms(from, to) };
            self.terms(from, open)?;
            self.body(open + 1, tokens.last_of(open))?;
            return self.terms(tokens.after(open), to);
        }
        let (node, with) = self.statements.parse(from, to)?;
        if !node.is_logic() {
            return self.terms(from, to);
        }
        self.emit(&node, true)?;
        self.terms(with.unwrap_or(to), to)
    }

    /// Looks for comprehensions, whose bodies hold statements.
    fn terms(&mut self, from: usize, to: usize) -> Option<()> {
        let tokens = self.statements.tokens;
        for at in tokens.level(from, to) {
            if !matches!(tokens.kind(at), Some(Kind::Open | Kind::TemplateStart)) {
                continue;
            }
            let last = tokens.last_of(at);
            let is_index = tokens.is_open(at, '[') && tokens.is_glued(at) && self.statements.follows_value(at);
            let may_range = !is_index && (tokens.is_open(at, '[') || tokens.is_open(at, '{'));
            let bar = tokens.level(at + 1, last).find(|at| tokens.is_mark(*at, '|') || tokens.is_mark(*at, ','));
            match bar.filter(|bar| may_range && tokens.is_mark(*bar, '|')) {
                Some(bar) => {
                    self.terms(at + 1, bar)?;
                    self.body(bar + 1, last)?;
                }
                None => self.terms(at + 1, last)?,
            }
        }
        Some(())
    }

    /// Writes `node` as one statement that succeeds when the node does, or when it does not.
    fn emit(&mut self, node: &Node, succeeds: bool) -> Option<()> {
        let tokens = self.statements.tokens;
        match node {
            Node::And(all) => self.emit_all(all, succeeds, true)?,
            // One succeeds: not all fail.
            Node::Or(all) => self.emit_all(all, !succeeds, false)?,
            Node::Not(at, inner) => {
                let not = tokens.get(*at)?;
                self.writer.replace(not.from, not.to, "");
                self.emit(inner, !succeeds)?;
            }
            Node::Body(open) => {
                let (from, last) = (tokens.get(*open)?, tokens.last_of(*open));
                self.writer.replace(from.from, from.to, opening(succeeds));
                self.body(open + 1, last)?;
                let close = tokens.get(last)?;
                self.writer.replace(close.from, close.to, "]");
            }
            Node::Group { open, inner, with } => {
                let (from, last) = (tokens.get(*open)?, tokens.last_of(*open));
                let close = tokens.get(last)?;
                if let Some(with) = with {
                    self.writer.replace(from.from, from.to, opening(succeeds));
                    self.emit(inner, true)?;
                    self.terms(*with, last)?;
                    self.writer.replace(close.from, close.to, "]");
                } else {
                    self.writer.replace(from.from, from.to, "");
                    self.emit(inner, succeeds)?;
                    self.writer.replace(close.from, close.to, "");
                }
            }
            Node::Leaf(from, to) | Node::Scope(from, to) => {
                self.writer.copy(tokens.get(*from)?.from);
                self.writer.insert(opening(succeeds));
                self.terms(*from, *to)?;
                self.writer.copy(tokens.get(to.checked_sub(1)?)?.to);
                self.writer.insert("]");
            }
        }
        Some(())
    }

    /// One comprehension over all parts; each part as it is or, with `as_is` false, negated.
    fn emit_all(&mut self, all: &[(Node, usize)], succeeds: bool, as_is: bool) -> Option<()> {
        let tokens = self.statements.tokens;
        let (last, first) = (all.len().checked_sub(1)?, all.first()?);
        self.writer.copy(tokens.get(first_of(&first.0))?.from);
        self.writer.insert(opening(succeeds));
        for (number, (node, end)) in all.iter().enumerate() {
            self.emit(node, as_is)?;
            if number < last {
                let joint = tokens.get(*end)?;
                self.writer.replace(joint.from, joint.to, ";");
            }
        }
        self.writer.copy(tokens.get(all.last()?.1.checked_sub(1)?)?.to);
        self.writer.insert("]");
        Some(())
    }
}

/// The first token of a node.
fn first_of(node: &Node) -> usize {
    let mut at = node;
    loop {
        match at {
            Node::And(all) | Node::Or(all) => match all.first() {
                Some((first, _)) => at = first,
                None => return 0,
            },
            Node::Not(at, _)
            | Node::Body(at)
            | Node::Group { open: at, .. }
            | Node::Scope(at, _)
            | Node::Leaf(at, _) => return *at,
        }
    }
}

const fn opening(succeeds: bool) -> &'static str {
    if succeeds { "[] != [1 | true; " } else { "[] == [1 | true; " }
}
