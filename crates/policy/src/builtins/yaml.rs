//! `yaml.*`. What is written is YAML 1.2 that readers of YAML 1.1 take for the same.

use anyhow::{Result, bail};
use regorus::Value;
use serde_json::Value as Json;
use serde_saphyr::DuplicateKeyPolicy;

use crate::builtins::limit::over_limit;

/// The longest text that is made, in bytes.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// `yaml.unmarshal(text)`: the first document.
pub(super) fn unmarshal(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    Ok(Value::from(read(text)?))
}

/// `yaml.is_valid(text)`: what is no text is no YAML.
pub(super) fn is_valid(args: &[Value]) -> Result<Value> {
    Ok(Value::Bool(matches!(args, [Value::String(text)] if read(text).is_ok())))
}

fn read(text: &str) -> Result<Json> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
    };
    let first = serde_saphyr::from_multiple_with_options::<Json>(text, options)?.into_iter().next();
    Ok(first.unwrap_or(Json::Null))
}

/// `yaml.marshal(value)`.
pub(super) fn marshal(args: &[Value]) -> Result<Value> {
    let [value] = args else { bail!("a value") };
    let mut out = String::new();
    let value = serde_json::to_value(value)?;
    write(&value, 0, true, &mut out);
    if out.len() > MAX_TEXT_BYTES {
        return over_limit("yaml.marshal");
    }
    Ok(Value::from(out))
}

/// Writes a value and a line break. `inline` says that the cursor is where its first line begins.
fn write(value: &Json, indent: usize, inline: bool, out: &mut String) {
    match value {
        Json::Array(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                if number > 0 || !inline {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str("- ");
                write(item, indent + 2, true, out);
            }
        }
        Json::Object(fields) if !fields.is_empty() => {
            for (number, (name, field)) in fields.iter().enumerate() {
                if number > 0 || !inline {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(&scalar(name));
                out.push(':');
                let (nested, indent) = match field {
                    // The marks of an array stand below the name.
                    Json::Array(items) => (!items.is_empty(), indent),
                    Json::Object(fields) => (!fields.is_empty(), indent + 2),
                    Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => (false, indent + 2),
                };
                out.push(if nested { '\n' } else { ' ' });
                write(field, indent, !nested, out);
            }
        }
        Json::String(text) => match block(text, indent) {
            Some(block) => out.push_str(&block),
            None => {
                out.push_str(&scalar(text));
                out.push('\n');
            }
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            out.push_str(&value.to_string());
            out.push('\n');
        }
    }
}

/// Several lines as a block, where that can be done without quotes.
fn block(text: &str, indent: usize) -> Option<String> {
    let plain = |c: char| c == '\n' || !c.is_control() && !matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let is_block = indent > 0
        && text.contains('\n')
        && text.chars().all(plain)
        && !text.starts_with([' ', '\n'])
        && text.lines().all(|line| !line.ends_with(' '))
        && !text.ends_with("\n\n");
    let pad = " ".repeat(indent);
    is_block.then(|| {
        let lines = text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") });
        format!("|{}\n{}", if text.ends_with('\n') { "" } else { "-" }, lines.collect::<String>())
    })
}

/// A text on one line: with quotes when it has to have them.
fn scalar(text: &str) -> String {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}'))
        || is_other_type(text)
    {
        return serde_json::to_string(text).unwrap_or_default();
    }
    let needs_quotes = text.starts_with([
        ' ', '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`',
    ]) || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.starts_with("...");
    if needs_quotes { format!("'{}'", text.replace('\'', "''")) } else { text.to_owned() }
}

/// True for a text that a reader would take for something else when it had no quotes.
fn is_other_type(text: &str) -> bool {
    let words = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"];
    let lower = text.to_ascii_lowercase();
    let number = lower.trim_start_matches(['+', '-']);
    let is_number = number.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_hexdigit() || "._:+-xotzT ".contains(c));
    words.contains(&lower.as_str()) || is_number || matches!(number, ".inf" | ".nan")
}
