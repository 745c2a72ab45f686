//! Bytes as Go shows them: as text in JSON, and in quotes in error messages.

use std::fmt::Write as _;

/// Text; each byte that belongs to no character is one U+FFFD, as when Go reads or writes JSON.
pub(super) fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    push(&mut text, bytes);
    text
}

/// Appends bytes as [`from_bytes`] shows them.
pub(super) fn push(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
    }
}

/// In double quotes, as Go's `%q`.
pub(super) fn quote(bytes: &[u8]) -> String {
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| escape(&mut quoted, c, '"'));
        for byte in chunk.invalid() {
            // Writing to a `String` cannot fail.
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

/// One byte in single quotes, as the messages of `encoding/json` name it: as the character of that number.
pub(super) fn quote_byte(byte: u8) -> String {
    let mut quoted = String::from("'");
    escape(&mut quoted, char::from(byte), '\'');
    quoted.push('\'');
    quoted
}

fn escape(out: &mut String, c: char, quote: char) {
    let code = u32::from(c);
    // Writing to a `String` cannot fail.
    let _ = match c {
        '\u{7}' => out.write_str("\\a"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{b}' => out.write_str("\\v"),
        '\\' => out.write_str("\\\\"),
        c if c == quote => write!(out, "\\{c}"),
        c if is_printable(c) => out.write_char(c),
        _ if code < 0x20 || code == 0x7f => write!(out, "\\x{code:02x}"),
        _ if code < 0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// What can be seen. `escape_debug` shows quotes escaped, and marks unless they follow something.
fn is_printable(c: char) -> bool {
    c.is_ascii_graphic() || c == ' ' || (!c.is_ascii() && format!("a{c}").escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_byte_is_one_mark() {
        assert_eq!(from_bytes(b"a\xe2\x82b\xff"), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(from_bytes(b"\xed\xa0\x80"), "\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(from_bytes("é€😀".as_bytes()), "é€😀");
    }

    #[test]
    fn quotes_are_those_of_go() {
        assert_eq!(quote(b"a\"b'\\\r\n\t\x00\x7f\xff"), r#""a\"b'\\\r\n\t\x00\x7f\xff""#);
        assert_eq!(quote("é\u{301}\u{a0}\u{ad}\u{e0001}".as_bytes()), "\"é\u{301}\\u00a0\\u00ad\\U000e0001\"");
        assert_eq!([quote_byte(b'\''), quote_byte(b'"'), quote_byte(0xef)], [r"'\''", "'\"'", "'ï'"]);
        assert_eq!([quote_byte(0x80), quote_byte(0), quote_byte(b'\n')], [r"'\u0080'", r"'\x00'", r"'\n'"]);
    }
}
