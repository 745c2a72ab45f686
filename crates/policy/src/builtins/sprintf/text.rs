//! Texts: `%s`, `%q`, `%x`, and how OPA writes values as text.

use regorus::Value;

use super::Flags;

/// `None` for a verb that is none of texts.
pub(super) fn print(text: &str, verb: char, flags: Flags) -> Option<String> {
    let cut = || match flags.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    };
    Some(match verb {
        'v' if flags.sharp => pad(quoted(text, false), flags),
        'v' | 's' => pad(cut(), flags),
        'q' => {
            let text = cut();
            let plain = !text.chars().any(|c| c == '`' || !is_printable(c) && c != '\t');
            let quoted = if flags.sharp && plain { format!("`{text}`") } else { quoted(&text, flags.plus) };
            pad(quoted, flags)
        }
        'x' | 'X' => pad(hex(text, verb == 'X', flags), flags),
        _ => return None,
    })
}

/// Filled up to the width: with zeros or spaces before, or with spaces behind.
pub(super) fn pad(text: String, flags: Flags) -> String {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    match (flags.minus, flags.zero) {
        _ if missing == 0 => text,
        (true, _) => text + &" ".repeat(missing),
        (false, true) => "0".repeat(missing) + &text,
        (false, false) => " ".repeat(missing) + &text,
    }
}

fn hex(text: &str, upper: bool, flags: Flags) -> String {
    let bytes = text.bytes().take(flags.precision.unwrap_or(usize::MAX));
    let prefix = if !flags.sharp {
        ""
    } else if upper {
        "0X"
    } else {
        "0x"
    };
    let pairs = bytes.map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
    let mut out = String::new();
    for (number, pair) in pairs.enumerate() {
        if number > 0 && flags.space {
            out.push(' ');
        }
        if number == 0 || flags.space {
            out.push_str(prefix);
        }
        out.push_str(&pair);
    }
    out
}

/// In double quotes, with Go's escapes.
pub(super) fn quoted(text: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    text.chars().for_each(|c| escape(c, '"', ascii, &mut out));
    out.push('"');
    out
}

/// A character as it stands between quotes.
pub(super) fn escape(c: char, quote: char, ascii: bool, out: &mut String) {
    let code = u32::from(c);
    match c {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        c if c == quote => out.extend(['\\', c]),
        c if is_printable(c) && (c.is_ascii() || !ascii) => out.push(c),
        _ if code < 0x20 || code == 0x7f => out.push_str(&format!("\\x{code:02x}")),
        _ if code < 0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
        _ => out.push_str(&format!("\\U{code:08x}")),
    }
}

/// What can be seen. Marks are asked for behind a letter: alone they would count as unseen.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || format!("a{c}").escape_debug().count() == 2
}

/// A value as OPA writes it: as in Rego, with a space after colons and commas.
pub(super) fn term(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Value::String(text) => quoted(text, false),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(term).collect())),
        Value::Set(items) if items.is_empty() => "set()".to_owned(),
        Value::Set(items) => format!("{{{}}}", joined(items.iter().map(term).collect())),
        Value::Object(fields) => {
            let fields = fields.iter_sorted().map(|(key, value)| format!("{}: {}", term(key), term(value)));
            format!("{{{}}}", joined(fields.collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Undefined => value.to_string(),
    }
}
