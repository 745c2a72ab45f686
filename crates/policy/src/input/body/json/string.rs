//! Strings of JSON.

use super::read::{cut, invalid, take};
use crate::input::text;

/// Reads a string that begins here, with both quotes.
pub(super) fn read(rest: &mut &[u8]) -> Result<String, String> {
    let mut out = String::new();
    take(rest)?;
    loop {
        let plain = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)).ok_or_else(cut)?;
        let (before, after) = rest.split_at_checked(plain).ok_or_else(cut)?;
        text::push(&mut out, before);
        *rest = after;
        match take(rest)? {
            b'"' => return Ok(out),
            b'\\' => out.push(escape(rest)?),
            control => return Err(invalid(control, "in string literal")),
        }
    }
}

fn escape(rest: &mut &[u8]) -> Result<char, String> {
    Ok(match take(rest)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        plain @ (b'\\' | b'/' | b'"') => char::from(plain),
        b'u' => {
            let unit = unit(rest)?;
            char::from_u32(unit).unwrap_or_else(|| pair(unit, rest))
        }
        other => return Err(invalid(other, "in string escape code")),
    })
}

/// Four hexadecimal digits.
fn unit(rest: &mut &[u8]) -> Result<u32, String> {
    (0..4).try_fold(0, |unit, _| {
        let digit = take(rest)?;
        let value = char::from(digit).to_digit(16);
        Ok(unit << 4 | value.ok_or_else(|| invalid(digit, "in \\u hexadecimal character escape"))?)
    })
}

/// The character of two surrogates. A lone one is U+FFFD, and what follows it stays.
fn pair(high: u32, rest: &mut &[u8]) -> char {
    let Some(mut after) = rest.strip_prefix(b"\\u") else { return char::REPLACEMENT_CHARACTER };
    let low = unit(&mut after).ok().filter(|low| (0xdc00..0xe000).contains(low));
    match low {
        Some(low) if high < 0xdc00 => {
            *rest = after;
            let code = 0x1_0000 + ((high & 0x3ff) << 10 | (low & 0x3ff));
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => char::REPLACEMENT_CHARACTER,
    }
}
