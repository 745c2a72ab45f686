//! Integers: `%d`, `%x`, `%c` and their like.

use regorus::Value;

use super::{Flags, text};

/// `None` for a verb that is none of integers.
pub(super) fn print(value: &Value, verb: char, flags: Flags) -> Option<String> {
    let big = value.as_number().ok()?.as_big()?;
    let big = big.as_ref();
    let is_big = value.as_i64().is_err();
    // Two's complement is not printed: the sign stands before the digits.
    let decimal = big.to_string();
    let negative = decimal.starts_with('-');
    let signed = match verb {
        'v' | 'd' => decimal,
        'b' => format!("{big:b}"),
        'o' | 'O' => format!("{big:o}"),
        'x' => format!("{big:x}"),
        'X' => format!("{big:X}"),
        'c' if !is_big => return Some(text::pad(character(value).to_string(), flags)),
        'q' if !is_big => {
            let mut out = String::from("'");
            text::escape(character(value), '\'', flags.plus, &mut out);
            out.push('\'');
            return Some(text::pad(out, flags));
        }
        'U' if !is_big => return Some(text::pad(code_point(value, flags), Flags { zero: false, ..flags })),
        _ => return None,
    };
    let digits = signed.trim_start_matches('-');
    Some(assemble(digits, negative, verb, flags))
}

fn assemble(digits: &str, negative: bool, verb: char, flags: Flags) -> String {
    let sign = match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    if flags.precision == Some(0) && digits == "0" {
        return text::pad(String::new(), Flags { zero: false, ..flags });
    }
    // Zeros up to the width count as a precision.
    let least = match (flags.precision, flags.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(sign.len()),
        (None, _) => 0,
    };
    let zeros = "0".repeat(least.saturating_sub(digits.len()));
    let prefix = match verb {
        'O' => "0o",
        'b' if flags.sharp => "0b",
        'o' if flags.sharp && zeros.is_empty() && !digits.starts_with('0') => "0",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        _ => "",
    };
    text::pad(format!("{sign}{prefix}{zeros}{digits}"), Flags { zero: false, ..flags })
}

fn character(value: &Value) -> char {
    let code = value.as_i64().ok().and_then(|code| u32::try_from(code).ok());
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn code_point(value: &Value, flags: Flags) -> String {
    let code = value.as_i64().unwrap_or(0);
    let least = flags.precision.unwrap_or(4).max(4);
    let number = format!("U+{code:0least$X}");
    if flags.sharp { format!("{number} '{}'", character(value)) } else { number }
}
