//! `regex.match` with the syntax of RE2, as OPA has it.
//!
//! RE2 and the `regex` crate agree on nearly everything. The differences that matter are translated: `\d`, `\w`,
//! `\s` and `\b` are ASCII in RE2, `\Q…\E` quotes, and inside a class `[`, `&` and `~` stand for themselves.

use std::cell::RefCell;
use std::iter::Peekable;
use std::str::Chars;

use anyhow::Result;
use regorus::Value;

use crate::builtins::pattern_cache::PatternCache;

thread_local! {
    static EXPRESSIONS: RefCell<PatternCache> = RefCell::new(PatternCache::default());
}

/// `regex.match(pattern, text)`: true when the pattern occurs anywhere in the text.
pub(super) fn regex_match(args: &[Value]) -> Result<Value> {
    let [Value::String(pattern), Value::String(text)] = args else { return Ok(Value::Undefined) };
    let matched = EXPRESSIONS.with_borrow_mut(|cache| cache.is_match((pattern, ""), text, |p, _| translate(p)));
    Ok(matched.map_or(Value::Undefined, Value::Bool))
}

/// The pattern in the syntax of the `regex` crate; `None` when it cannot be.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out)?,
            '[' => class(&mut chars, &mut out)?,
            other => out.push(other),
        }
    }
    Some(out)
}

/// What follows a backslash outside of classes.
fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    match chars.next()? {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\f\r ]"),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        'b' => out.push_str(r"(?-u:\b)"),
        // Inverse of an ASCII word boundary cannot be written for text; RE2's meaning is the same between letters.
        'B' => out.push_str(r"\B"),
        'Q' => quoted(chars, out),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    Some(())
}

/// Literal text up to `\E` or the end.
fn quoted(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut literal = String::new();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            break;
        }
        literal.push(c);
    }
    out.push_str(&regex::escape(&literal));
}

/// A class, after its opening bracket.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // A closing bracket that comes first is a member.
    if chars.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    loop {
        match chars.next()? {
            ']' => break,
            '[' if chars.peek() == Some(&':') => posix_class(chars, out)?,
            '\\' => escape_in_class(chars, out)?,
            c @ ('[' | '&' | '~') => {
                out.push('\\');
                out.push(c);
            }
            '-' if chars.peek() == Some(&'-') => return None,
            other => out.push(other),
        }
    }
    out.push(']');
    Some(())
}

fn posix_class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    loop {
        let c = chars.next()?;
        out.push(c);
        if c == ']' {
            return Some(());
        }
    }
}

fn escape_in_class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    match chars.next()? {
        'd' => out.push_str("0-9"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("0-9A-Za-z_"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"\t\n\f\r "),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        'b' | 'B' | 'Q' => return None,
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    Some(())
}
