//! Quoted-printable (RFC 2045 §6.7), as Go's `mime/quotedprintable` reads it.

use crate::input::parsed::hex;
use crate::input::text;

/// The longest line: the buffer of Go's reader.
const MAX_LINE: usize = 4096;

/// Decodes the data of a part. `is_whole` is false when the body ended before the part did.
pub(super) fn decode(data: &[u8], is_whole: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    loop {
        let (line, after, problem) = next(rest, is_whole);
        rest = after;
        let text = trim_end(line);
        let problem = match text.strip_suffix(b"=") {
            Some(before) => {
                let blanks = line.get(text.len()..).unwrap_or_default();
                let behind = blanks.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(blanks.len());
                let behind = blanks.get(behind..).unwrap_or_default();
                decode_line(before, &mut out)?;
                let is_break = behind.starts_with(b"\n") || behind.starts_with(b"\r\n");
                let is_last = behind.is_empty() && !before.is_empty() && problem == Some(End::Good);
                if is_break || is_last {
                    problem
                } else {
                    return Err(format!("quotedprintable: invalid bytes after =: {}", text::quote(behind)));
                }
            }
            None => {
                decode_line(text, &mut out)?;
                let line_break: &[u8] = match line {
                    [.., b'\r', b'\n'] => b"\r\n",
                    [.., b'\n'] => b"\n",
                    _ => b"",
                };
                out.extend_from_slice(line_break);
                problem
            }
        };
        match problem {
            None => {}
            Some(End::Good) => return Ok(out),
            Some(End::Early) => return Err("unexpected EOF".to_owned()),
            Some(End::LongLine) => return Err("bufio: buffer full".to_owned()),
        }
    }
}

/// Why there is no further line.
#[derive(PartialEq)]
enum End {
    Good,
    Early,
    LongLine,
}

/// The next line, what is behind it, and whether it is the last.
fn next(data: &[u8], is_whole: bool) -> (&[u8], &[u8], Option<End>) {
    let window = data.get(..MAX_LINE).unwrap_or(data);
    let (len, end) = match memchr::memchr(b'\n', window) {
        Some(at) => (at + 1, None),
        None if window.len() == MAX_LINE => (MAX_LINE, Some(End::LongLine)),
        None => (window.len(), Some(if is_whole { End::Good } else { End::Early })),
    };
    let (line, rest) = data.split_at_checked(len).unwrap_or((data, &[]));
    (line, rest, end)
}

fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|b| !matches!(b, b'\n' | b'\r' | b' ' | b'\t')).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

fn decode_line(line: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match *byte {
            b'=' => match after.split_at_checked(2).and_then(|(digits, after)| Some((hex(digits)?, after))) {
                Some((decoded, after)) => {
                    out.push(decoded);
                    rest = after;
                }
                None => match after.first() {
                    None => return Err("unexpected EOF".to_owned()),
                    Some(b'\r') => return Err("quotedprintable: invalid hex byte 0x0d".to_owned()),
                    // No escape: the sign stands for itself.
                    Some(_) => out.push(b'='),
                },
            },
            plain @ (b'\t' | b'\r' | b' '..=b'~' | 0x80..) => out.push(plain),
            other => return Err(format!("quotedprintable: invalid unescaped byte 0x{other:02x} in body")),
        }
    }
    Ok(())
}
