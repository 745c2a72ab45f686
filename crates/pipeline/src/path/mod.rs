//! Paths and hosts in normal form.
//!
//! What is decided on must be what the upstream gets. A path that an upstream could read as another one is not in normal
//! form: it is refused, or overwritten where the route says so. Pure functions, fuzzed.

mod host;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

pub use host::{HostFault, normalise_host};

/// A path in normal form, and what was found on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normal<'a> {
    /// The normal form; borrowed when the input was in it.
    pub path: Cow<'a, str>,
    /// Holds `%2F`.
    pub encoded_slash: bool,
    /// Holds `\` or `%5C`.
    pub backslash: bool,
    /// Holds `%00`.
    pub nul: bool,
    /// Holds escapes that are no UTF-8.
    pub invalid_utf8: bool,
}

impl Normal<'_> {
    /// True when the input was not in normal form.
    pub const fn changed(&self) -> bool {
        matches!(self.path, Cow::Owned(_))
    }
}

/// Why a path has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// It does not begin with `/`.
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    BadEscape,
    /// A control character, a space or `#`.
    BadCharacter,
    /// Longer than [`MAX_PATH`].
    TooLong,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the path does not begin with a slash",
            Self::BadEscape => "a percent sign without two hexadecimal digits",
            Self::BadCharacter => "a control character, space or number sign in the path",
            Self::TooLong => "the path is too long",
        })
    }
}

/// The longest path, in bytes.
pub const MAX_PATH: usize = 16 * 1024;

/// The normal form of a path without its query (RFC 3986 §6.2.2): unreserved characters decoded, other escapes in upper case,
/// what has to be escaped escaped, `;params` gone, empty and dot segments resolved. Normalising twice changes nothing.
///
/// # Errors
/// [`PathFault`] when there is none.
pub fn normalise_path(raw: &str) -> Result<Normal<'_>, PathFault> {
    if raw.len() > MAX_PATH {
        return Err(PathFault::TooLong);
    }
    if !raw.starts_with('/') {
        return Err(PathFault::NotAbsolute);
    }
    if is_plain(raw) {
        return Ok(Normal {
            path: Cow::Borrowed(raw),
            encoded_slash: false,
            backslash: false,
            nul: false,
            invalid_utf8: false,
        });
    }
    let mut found =
        Normal { path: Cow::Borrowed(raw), encoded_slash: false, backslash: false, nul: false, invalid_utf8: false };
    let escaped = normalise_escapes(raw, &mut found)?;
    let resolved = resolve_segments(&escaped);
    // Escaping makes a path longer; what is forwarded has the limit too.
    if resolved.len() > MAX_PATH {
        return Err(PathFault::TooLong);
    }
    found.invalid_utf8 = percent_encoding::percent_decode_str(&resolved).decode_utf8().is_err();
    if resolved != raw {
        found.path = Cow::Owned(resolved);
    }
    Ok(found)
}

/// True when nothing in the path needs a closer look: only unreserved characters and sub-delimiters without `;`,
/// no segment that is empty or begins with a dot.
fn is_plain(raw: &str) -> bool {
    let mut previous = 0_u8;
    for byte in raw.bytes() {
        let fine = match byte {
            b'/' => previous != b'/',
            b'.' => previous != b'/',
            other => is_literal(other),
        };
        if !fine {
            return false;
        }
        previous = byte;
    }
    true
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a segment as it is (RFC 3986 `pchar` without `;` and escapes).
const fn is_literal(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

fn normalise_escapes(raw: &str, found: &mut Normal<'_>) -> Result<String, PathFault> {
    let mut out = String::with_capacity(raw.len() + 8);
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let decoded = hex(bytes.next()).zip(hex(bytes.next())).map(|(high, low)| high << 4 | low);
                let decoded = decoded.ok_or(PathFault::BadEscape)?;
                match decoded {
                    b'/' => found.encoded_slash = true,
                    b'\\' => found.backslash = true,
                    0 => found.nul = true,
                    _ => {}
                }
                if is_unreserved(decoded) { out.push(char::from(decoded)) } else { push_escape(&mut out, decoded) }
            }
            b'\\' => {
                found.backslash = true;
                out.push('\\');
            }
            0..=b' ' | 0x7f | b'#' => return Err(PathFault::BadCharacter),
            b'/' | b';' => out.push(char::from(byte)),
            byte if is_literal(byte) => out.push(char::from(byte)),
            byte => push_escape(&mut out, byte),
        }
    }
    Ok(out)
}

fn hex(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    out.push('%');
    for nibble in [byte >> 4, byte & 15] {
        out.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or('0'));
    }
}

/// Drops `;params` and empty segments, resolves `.` and `..` (RFC 3986 §5.2.4). Parameters go first, so that `..;x` is `..`.
fn resolve_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_slash = false;
    for segment in path.split('/').skip(1) {
        let name = segment.split(';').next().unwrap_or_default();
        ends_in_slash = matches!(name, "" | "." | "..");
        match name {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if ends_in_slash || kept.is_empty() {
        out.push('/');
    }
    out
}
