//! Templates in their parts.

use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use regorus::Value;

/// How deep blocks may stand in each other.
const MAX_DEPTH: usize = 32;

/// A part of a template.
pub(super) enum Node {
    Text(String),
    Show(Operand),
    /// `$name := value`, or `=` for one that there is.
    Set {
        name: Rc<str>,
        to: Operand,
        is_new: bool,
    },
    /// `if`, and `with`, which moves the dot.
    If {
        over: Operand,
        moves_dot: bool,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        names: Vec<Rc<str>>,
        over: Operand,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
}

/// Something with a value.
pub(super) enum Operand {
    Literal(Value),
    /// `.a.b`
    Dot(Vec<String>),
    /// `$name.a.b`; `$` has an empty name.
    Variable(Rc<str>, Vec<String>),
}

/// Text, or what stands between braces.
enum Token<'t> {
    Text(&'t str),
    Action(&'t str),
}

pub(super) fn parse(template: &str) -> Result<Vec<Node>> {
    let tokens = split(template)?;
    let mut parser = Parser { tokens: tokens.iter(), depth: 0 };
    let (nodes, end) = parser.block()?;
    if !end.is_empty() {
        bail!("an end without a beginning");
    }
    Ok(nodes)
}

fn split(template: &str) -> Result<Vec<Token<'_>>> {
    let (mut tokens, mut rest, mut trims) = (Vec::new(), template, false);
    while let Some((before, after)) = rest.split_once("{{") {
        let (trims_before, after) = match after.strip_prefix('-').filter(|after| after.starts_with(is_space)) {
            Some(after) => (true, after),
            None => (false, after),
        };
        let before = if trims { before.trim_start_matches(is_space) } else { before };
        tokens.push(Token::Text(if trims_before { before.trim_end_matches(is_space) } else { before }));
        let comment = after.trim_start_matches(is_space).strip_prefix("/*");
        let (action, after) = match comment {
            Some(comment) => ("", comment.split_once("*/").context("a comment without an end")?.1),
            None => after.split_at_checked(after.find("}}").context("an action without an end")?).unwrap_or_default(),
        };
        let (inside, after) = after.split_once("}}").context("an action without an end")?;
        let action = if comment.is_some() { inside } else { action };
        let trimmed = action.strip_suffix('-').filter(|action| action.ends_with(is_space) || comment.is_some());
        trims = trimmed.is_some();
        let action = trimmed.unwrap_or(action).trim_matches(is_space);
        match comment {
            Some(_) if !action.is_empty() => bail!("text behind a comment"),
            Some(_) => {}
            None if action.is_empty() => bail!("an empty action"),
            None => tokens.push(Token::Action(action)),
        }
        rest = after;
    }
    tokens.push(Token::Text(if trims { rest.trim_start_matches(is_space) } else { rest }));
    Ok(tokens)
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

struct Parser<'a, 't> {
    tokens: std::slice::Iter<'a, Token<'t>>,
    depth: usize,
}

impl<'t> Parser<'_, 't> {
    /// Nodes up to an `end` or `else`, and that action; it is empty at the end of the template.
    fn block(&mut self) -> Result<(Vec<Node>, &'t str)> {
        if self.depth > MAX_DEPTH {
            bail!("blocks are nested too deep");
        }
        let mut nodes = Vec::new();
        while let Some(token) = self.tokens.next() {
            let action = match token {
                Token::Text(text) => {
                    nodes.push(Node::Text((*text).to_owned()));
                    continue;
                }
                Token::Action(action) => *action,
            };
            let (word, rest) = action.split_once(is_space).unwrap_or((action, ""));
            let rest = rest.trim_matches(is_space);
            match word {
                "end" | "else" => return Ok((nodes, action)),
                "if" | "with" | "range" => nodes.push(self.nested(word, rest)?),
                _ => nodes.push(simple(action)?),
            }
        }
        Ok((nodes, ""))
    }

    /// A block that begins with `word`, with its `else`.
    fn nested(&mut self, word: &str, head: &str) -> Result<Node> {
        self.depth += 1;
        let (then, end) = self.block()?;
        let otherwise = match end.split_once(is_space).map_or((end, ""), |(word, rest)| (word, rest)) {
            ("end", "") => Vec::new(),
            ("else", "") => {
                let (otherwise, end) = self.block()?;
                if end != "end" {
                    bail!("a block without an end");
                }
                otherwise
            }
            ("else", chained) => {
                let (word, rest) = chained.trim_matches(is_space).split_once(is_space).context("no condition")?;
                if !matches!(word, "if" | "with") {
                    bail!("only if and with follow else");
                }
                vec![self.nested(word, rest.trim_matches(is_space))?]
            }
            _ => bail!("a block without an end"),
        };
        self.depth -= 1;
        if word != "range" {
            return Ok(Node::If { over: operand(head)?, moves_dot: word == "with", then, otherwise });
        }
        let (names, over) = match head.split_once(":=") {
            Some((names, over)) => (names.split(',').map(variable).collect::<Result<Vec<_>>>()?, over),
            None => (Vec::new(), head),
        };
        if names.len() > 2 {
            bail!("too many variables");
        }
        Ok(Node::Range { names, over: operand(over)?, body: then, otherwise })
    }
}

fn simple(action: &str) -> Result<Node> {
    if action.starts_with('"') || !action.contains('=') {
        return Ok(Node::Show(operand(action)?));
    }
    let (name, to) = action.split_once('=').context("no value")?;
    let (name, is_new) = name.strip_suffix(':').map_or((name, false), |name| (name, true));
    Ok(Node::Set { name: variable(name)?, to: operand(to)?, is_new })
}

fn variable(text: &str) -> Result<Rc<str>> {
    let name = text.trim_matches(is_space).strip_prefix('$').context("not a variable")?;
    if is_name(name) { Ok(Rc::from(name)) } else { bail!("not a variable") }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}

fn operand(text: &str) -> Result<Operand> {
    let text = text.trim_matches(is_space);
    if text == "." {
        return Ok(Operand::Dot(Vec::new()));
    }
    if let Some(path) = text.strip_prefix('.') {
        return Ok(Operand::Dot(names(path)?));
    }
    if let Some(rest) = text.strip_prefix('$') {
        let (name, path) = rest.split_once('.').map_or((rest, None), |(name, path)| (name, Some(path)));
        if !name.is_empty() && !is_name(name) {
            bail!("not a variable");
        }
        return Ok(Operand::Variable(Rc::from(name), path.map_or(Ok(Vec::new()), names)?));
    }
    // Texts, numbers and booleans are written as in JSON here; anything else is a function.
    match Value::from_json_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => Ok(Operand::Literal(value)),
        _ => bail!("functions are not known"),
    }
}

fn names(path: &str) -> Result<Vec<String>> {
    path.split('.').map(|name| if is_name(name) { Ok(name.to_owned()) } else { bail!("not a name") }).collect()
}
