//! What `and`, `or` and `not` join: the tree of one statement.

use super::statement::Statements;

/// A statement, or an operand of one. Places are those of tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// All succeed. Each with the place of the token behind it.
    And(Vec<(Node, usize)>),
    /// One succeeds.
    Or(Vec<(Node, usize)>),
    /// `not` at this place does not succeed.
    Not(usize, Box<Node>),
    /// `{ … }`, opened at this place.
    Body(usize),
    /// `( … )`, opened at `open`; with the place of its first `with`.
    Group { open: usize, inner: Box<Node>, with: Option<usize> },
    /// A unification behind `not`, which binds names for itself alone.
    Scope(usize, usize),
    /// Anything else.
    Leaf(usize, usize),
}

impl Node {
    /// True for what the engine has no words for.
    pub(super) fn is_logic(&self) -> bool {
        match self {
            Self::And(_) | Self::Or(_) | Self::Group { .. } => true,
            Self::Not(_, inner) => matches!(inner.as_ref(), Self::Body(_) | Self::Scope(..)) || inner.is_logic(),
            Self::Body(_) | Self::Scope(..) | Self::Leaf(..) => false,
        }
    }
}

impl Statements<'_> {
    /// The tree of a statement, and the place of its first `with`. `None` for what OPA refuses, too.
    pub(super) fn parse(&self, from: usize, to: usize) -> Option<(Node, Option<usize>)> {
        let tokens = self.tokens;
        let with = tokens.level(from, to).find(|at| tokens.is_keyword(*at, "with"));
        let is_behind = |at: usize| with.is_some_and(|with| at > with);
        if tokens.level(from, to).any(|at| is_behind(at) && self.is_joint(at)) {
            return None;
        }
        Some((self.chain(from, with.unwrap_or(to))?, with))
    }

    fn chain(&self, from: usize, to: usize) -> Option<Node> {
        let is_operand = self.tokens.level(from, to).any(|at| self.is_joint(at));
        let mut alternatives = Vec::new();
        for (from, to) in self.split(from, to, "or") {
            let mut all = Vec::new();
            for (from, to) in self.split(from, to, "and") {
                all.push((self.operand(from, to, is_operand)?, to));
            }
            alternatives.push((one_or(all, Node::And)?, to));
        }
        one_or(alternatives, Node::Or)
    }

    /// What stands between the words.
    fn split(&self, from: usize, to: usize, word: &str) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let mut start = from;
        let joints = self.tokens.level(from, to).filter(|at| self.is_joint(*at) && self.tokens.says(*at) == word);
        for at in joints {
            parts.push((start, at));
            start = at + 1;
        }
        parts.push((start, to));
        parts
    }

    fn operand(&self, from: usize, to: usize, is_operand: bool) -> Option<Node> {
        let tokens = self.tokens;
        if from >= to {
            return None;
        }
        if is_operand && ["some", "every"].iter().any(|word| tokens.is_keyword(from, word)) {
            return None;
        }
        if is_operand && tokens.is_open(from, '{') {
            return self.body(from, to);
        }
        if self.not && tokens.is_keyword(from, "not") {
            let inner = from + 1;
            let negated = if tokens.is_open(inner, '{') {
                self.body(inner, to)?
            } else if tokens.is_keyword(inner, "not") {
                return None;
            } else {
                let operand = self.operand(inner, to, true)?;
                let unifies = matches!(operand, Node::Leaf(from, to) if self.unifies(from, to));
                if unifies { Node::Scope(inner, to) } else { operand }
            };
            return Some(Node::Not(from, Box::new(negated)));
        }
        if tokens.is_open(from, '(') && tokens.after(from) == to {
            let (inner, with) = self.parse(from + 1, to - 1)?;
            if inner.is_logic() || is_operand && (with.is_some() || matches!(inner, Node::Not(..))) {
                return Some(Node::Group { open: from, inner: Box::new(inner), with });
            }
        }
        Some(Node::Leaf(from, to))
    }

    /// True for `a = b`, but not for any other sign with `=` in it.
    fn unifies(&self, from: usize, to: usize) -> bool {
        let is_part =
            |at: usize| self.tokens.is_glued(at) && self.tokens.says(at - 1).ends_with([':', '=', '!', '<', '>']);
        let is_doubled = |at: usize| self.tokens.is_mark(at + 1, '=') && self.tokens.is_glued(at + 1);
        self.tokens.level(from, to).any(|at| self.tokens.is_mark(at, '=') && !is_part(at) && !is_doubled(at))
    }

    /// `{ … }` as an operand. A union in it could be a comprehension: OPA refuses that, too.
    fn body(&self, open: usize, to: usize) -> Option<Node> {
        let has_union = self.tokens.level(open + 1, to - 1).any(|at| self.tokens.is_mark(at, '|'));
        (self.tokens.after(open) == to && open + 2 < to && !has_union).then_some(Node::Body(open))
    }
}

/// The only one, or all of them joined.
fn one_or(mut all: Vec<(Node, usize)>, join: fn(Vec<(Node, usize)>) -> Node) -> Option<Node> {
    if all.len() > 1 { Some(join(all)) } else { all.pop().map(|(node, _)| node) }
}
