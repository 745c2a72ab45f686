//! `glob.match` with the patterns of gobwas/glob, as OPA has it, compiled to regular expressions (linear time).
//!
//! | pattern | matches |
//! |---|---|
//! | `*` | any run of characters that are no delimiters |
//! | `**` | any run of characters |
//! | `?` | one character that is no delimiter |
//! | `[abc]` `[!abc]` `[a-z]` `[!a-z]` | one of, none of, a range |
//! | `{a,b*}` | alternatives, which may be nested |
//! | `\x` | `x` itself |

use std::cell::RefCell;

use anyhow::Result;
use regorus::Value;

use crate::builtins::pattern_cache::PatternCache;

thread_local! {
    static GLOBS: RefCell<PatternCache> = RefCell::new(PatternCache::default());
}

/// How deep alternatives may be nested.
const MAX_ALTERNATIVES: usize = 32;

/// `glob.match(pattern, delimiters, text)`: `null` delimiters are none, an empty list is `["."]`.
pub(super) fn glob_match(args: &[Value]) -> Result<Value> {
    let [Value::String(pattern), delimiters, Value::String(text)] = args else { return Ok(Value::Undefined) };
    let Some(delimiters) = Delimiters::read(delimiters) else { return Ok(Value::Undefined) };
    let matched = GLOBS.with_borrow_mut(|cache| cache.is_match((pattern, delimiters.as_str()), text, translate));
    Ok(matched.map_or(Value::Undefined, Value::Bool))
}

/// Whether a pattern matches a text, for those that are no policies.
///
/// # Errors
/// The pattern is none.
pub(crate) fn glob_pattern(pattern: &str, delimiters: &[char], text: &str) -> Result<bool, String> {
    let delimiters: String = delimiters.iter().collect();
    GLOBS
        .with_borrow_mut(|cache| cache.is_match((pattern, &delimiters), text, translate))
        .ok_or_else(|| format!("{pattern:?} is no pattern"))
}

/// The delimiters in one text, mostly without allocation.
enum Delimiters<'a> {
    One(&'a str),
    Many(String),
}

impl<'a> Delimiters<'a> {
    fn read(value: &'a Value) -> Option<Self> {
        let list = match value {
            Value::Null => return Some(Self::One("")),
            Value::Array(list) => list,
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Set(_)
            | Value::Object(_)
            | Value::Undefined => return None,
        };
        let mut all = String::new();
        for item in list.iter() {
            let Value::String(one) = item else { return None };
            if one.chars().count() != 1 {
                return None;
            }
            if list.len() == 1 {
                return Some(Self::One(one));
            }
            all.push_str(one);
        }
        Some(if all.is_empty() { Self::One(".") } else { Self::Many(all) })
    }

    fn as_str(&self) -> &str {
        match self {
            Self::One(text) => text,
            Self::Many(text) => text,
        }
    }
}

/// The regular expression for a glob; `None` when the glob is malformed.
fn translate(pattern: &str, delimiters: &str) -> Option<String> {
    let one = if delimiters.is_empty() {
        "(?s:.)".to_owned()
    } else {
        format!("[^{}]", delimiters.chars().map(escape_in_class).collect::<String>())
    };
    let mut out = String::from(r"\A(?:");
    let mut open = 0_usize;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                if let Some(next) = chars.next() {
                    push_literal(&mut out, next);
                }
            }
            '*' => {
                let mut any = false;
                while chars.next_if_eq(&'*').is_some() {
                    any = true;
                }
                out.push_str(if any { "(?s:.)" } else { &one });
                out.push('*');
            }
            '?' => out.push_str(&one),
            '[' => class(&mut chars, &mut out)?,
            '{' => {
                open += 1;
                if open > MAX_ALTERNATIVES {
                    return None;
                }
                out.push_str("(?:");
            }
            '}' if open > 0 => {
                open -= 1;
                out.push(')');
            }
            ',' if open > 0 => out.push('|'),
            literal => push_literal(&mut out, literal),
        }
    }
    if open > 0 {
        return None;
    }
    out.push_str(r")\z");
    Some(out)
}

/// `[a-z]`, `[!a-z]`, `[abc]` or `[!abc]`, after the opening bracket.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    let negated = chars.next_if_eq(&'!').is_some();
    out.push_str(if negated { "[^" } else { "[" });
    let first = chars.next()?;
    if chars.next_if_eq(&'-').is_some() {
        let last = chars.next()?;
        if last < first || chars.next()? != ']' {
            return None;
        }
        out.push_str(&escape_in_class(first));
        out.push('-');
        out.push_str(&escape_in_class(last));
    } else {
        let mut next = Some(first);
        let mut members = 0;
        loop {
            let c = match next? {
                ']' => break,
                '\\' => chars.next()?,
                c => c,
            };
            out.push_str(&escape_in_class(c));
            members += 1;
            next = chars.next();
        }
        if members == 0 {
            return None;
        }
    }
    out.push(']');
    Some(())
}

fn push_literal(out: &mut String, c: char) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

fn escape_in_class(c: char) -> String {
    format!(r"\x{{{:x}}}", u32::from(c))
}
