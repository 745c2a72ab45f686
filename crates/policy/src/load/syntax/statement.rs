//! Where statements end.

use super::token::{Kind, Tokens};

/// Knows the words that join statements in a module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statements<'t> {
    pub(super) tokens: &'t Tokens<'t>,
    /// `and` is a keyword.
    pub(super) and: bool,
    /// `or` is a keyword.
    pub(super) or: bool,
    /// `not` takes a body.
    pub(super) not: bool,
}

impl<'t> Statements<'t> {
    /// Of a module that imports none of the words.
    pub(super) const fn plain(tokens: &'t Tokens<'t>) -> Self {
        Self { tokens, and: false, or: false, not: false }
    }

    /// True when exactly one statement stands between the two tokens.
    pub(super) fn is_one(&self, from: usize, to: usize) -> bool {
        from < to && self.end(from, to) == to
    }

    /// The token behind the statement that begins at `from`, at most `limit`.
    pub(super) fn end(&self, from: usize, limit: usize) -> usize {
        let mut at = from;
        if self.tokens.is_keyword(from, "every") {
            at = self.every_body(from, limit).unwrap_or(from);
        }
        while at < limit {
            let next = self.tokens.after(at);
            if self.tokens.is_mark(at, ';') || self.tokens.is_keyword(at, "else") {
                return at;
            }
            if next < limit && self.is_boundary(self.tokens.last_of(at), next) {
                return next;
            }
            at = next;
        }
        limit
    }

    /// The bracket that opens the body of an `every`.
    pub(super) fn every_body(&self, from: usize, limit: usize) -> Option<usize> {
        // Nothing that begins a statement stands before it; so all searches together are as long as the source.
        let begins = |at: usize| ["every", "some", "not", "if"].iter().any(|word| self.tokens.is_keyword(at, word));
        let mut near =
            self.tokens.level(from + 1, limit).take_while(|at| !begins(*at) && !self.tokens.is_mark(*at, ';'));
        near.find(|at| self.tokens.is_open(*at, '{') && self.follows_value(*at))
    }

    /// True behind what can end an operand.
    pub(super) fn follows_value(&self, at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| self.can_end(before))
    }

    /// True for a keyword that joins statements.
    pub(super) fn is_joint(&self, at: usize) -> bool {
        self.and && self.tokens.is_keyword(at, "and") || self.or && self.tokens.is_keyword(at, "or")
    }

    /// True when a statement ends with one token and another begins with the next.
    pub(super) fn is_boundary(&self, last: usize, next: usize) -> bool {
        let breaks = self.tokens.get(next).is_some_and(|token| token.on_new_line);
        breaks && self.can_end(last) && self.can_start(next)
    }

    /// True when one of the words stands anywhere.
    pub(super) fn uses_any(&self) -> bool {
        let has_body = |at: usize| self.not && self.tokens.is_keyword(at, "not") && self.tokens.is_open(at + 1, '{');
        (0..self.tokens.len()).any(|at| self.is_joint(at) || has_body(at))
    }

    fn can_end(&self, at: usize) -> bool {
        match self.tokens.kind(at) {
            Some(Kind::Word) => !self.is_joint(at) && !WAITS.iter().any(|word| self.tokens.is_keyword(at, word)),
            Some(Kind::Number | Kind::Text | Kind::TemplateEnd | Kind::Close) => true,
            _ => false,
        }
    }

    fn can_start(&self, at: usize) -> bool {
        match self.tokens.kind(at) {
            Some(Kind::Word) => !self.is_joint(at) && !GOES_ON.iter().any(|word| self.tokens.is_keyword(at, word)),
            Some(Kind::Number | Kind::Text | Kind::TemplateStart | Kind::Open) => true,
            _ => false,
        }
    }
}

/// Words that something must follow.
const WAITS: [&str; 7] = ["in", "not", "some", "every", "with", "as", "if"];
/// Words that go on with what stands before them.
const GOES_ON: [&str; 3] = ["in", "with", "as"];
