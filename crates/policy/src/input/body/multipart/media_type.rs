//! Media types and dispositions with their parameters (RFC 2045 §5.1, RFC 2183, RFC 2231), as Go's `mime.ParseMediaType` reads them.

use std::collections::BTreeMap;

use crate::input::parsed::hex;

/// The parameters cannot be read.
const BAD_PARAMETER: &str = "mime: invalid media parameter";

/// A type, or the kind of a disposition, and its parameters.
pub(super) struct MediaType {
    /// In lower case.
    pub(super) kind: Vec<u8>,
    /// By their names in lower case.
    pub(super) parameters: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Reads a whole header value.
///
/// # Errors
/// It is none, in Go's words.
pub(super) fn parse(value: &[u8]) -> Result<MediaType, &'static str> {
    let (base, mut rest) = value.split_at_checked(end_of(value, |b| *b != b';')).unwrap_or((value, &[]));
    let kind = trim(base).to_ascii_lowercase();
    check(&kind)?;
    let mut parameters: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    // What is written in pieces or encoded, by the name before the star.
    let mut pieces: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
    loop {
        rest = trim_start(rest);
        if rest.is_empty() {
            break;
        }
        let Some((name, value, after)) = parameter(rest) else {
            // A semicolon at the end does no harm.
            if trim(rest) == b";" {
                break;
            }
            return Err(BAD_PARAMETER);
        };
        let (plain, star) = name.split_at_checked(end_of(&name, |b| *b != b'*')).unwrap_or((&name, &[]));
        let known = if star.is_empty() { &mut parameters } else { pieces.entry(plain.to_vec()).or_default() };
        if known.get(&name).is_some_and(|known| *known != value) {
            return Err("mime: duplicate parameter name");
        }
        known.insert(name, value);
        rest = after;
    }
    for (name, pieces) in pieces {
        if let Some(value) = joined(&name, &pieces) {
            parameters.insert(name, value);
        }
    }
    Ok(MediaType { kind, parameters })
}

fn check(kind: &[u8]) -> Result<(), &'static str> {
    let (main, rest) = token(kind);
    if main.is_empty() {
        return Err("mime: no media type");
    }
    if rest.is_empty() {
        return Ok(());
    }
    let rest = rest.strip_prefix(b"/").ok_or("mime: expected slash after first token")?;
    match token(rest) {
        ([], _) => Err("mime: expected token after slash"),
        (_, []) => Ok(()),
        _ => Err("mime: unexpected content after media subtype"),
    }
}

/// `; name = value`, and what is behind it.
fn parameter(rest: &[u8]) -> Option<(Vec<u8>, Vec<u8>, &[u8])> {
    let (name, rest) = token(trim_start(rest.strip_prefix(b";")?));
    if name.is_empty() {
        return None;
    }
    let rest = trim_start(trim_start(rest).strip_prefix(b"=")?);
    let (value, rest) = match rest.strip_prefix(b"\"") {
        Some(rest) => quoted(rest)?,
        None => {
            let (value, rest) = token(rest);
            if value.is_empty() {
                return None;
            }
            (value.to_vec(), rest)
        }
    };
    Some((name.to_ascii_lowercase(), value, rest))
}

/// The rest of a text in quotes. A backslash stands for itself where it hides nothing: browsers have sent paths so.
fn quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', hidden, after @ ..] if is_special(*hidden) => {
                value.push(*hidden);
                after
            }
            [b'\r' | b'\n', ..] | [] => return None,
            [plain, after @ ..] => {
                value.push(*plain);
                after
            }
        };
    }
}

/// The value of `name*`, or of `name*0`, `name*1*`, … in their order; `None` when there is no such.
fn joined(name: &[u8], pieces: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<Vec<u8>> {
    let piece = |suffix: &str| pieces.get(&[name, suffix.as_bytes()].concat());
    if let Some(encoded) = piece("*") {
        return with_charset(encoded);
    }
    let mut value = Vec::new();
    for number in 0.. {
        if let Some(plain) = piece(&format!("*{number}")) {
            value.extend_from_slice(plain);
        } else if let Some(encoded) = piece(&format!("*{number}*")) {
            let decoded = if number == 0 { with_charset(encoded) } else { unescape(encoded) };
            value.extend(decoded.unwrap_or_default());
        } else if number == 0 {
            return None;
        } else {
            break;
        }
    }
    Some(value)
}

/// `charset'language'text`, of the two charsets that are text here.
fn with_charset(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut parts = encoded.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    let is_known = charset.eq_ignore_ascii_case(b"us-ascii") || charset.eq_ignore_ascii_case(b"utf-8");
    if is_known { unescape(text) } else { None }
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            out.push(hex(digits)?);
            rest = after;
        } else {
            out.push(*byte);
        }
    }
    Some(out)
}

/// A token that begins here, which may be empty, and what is behind it.
fn token(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at_checked(end_of(bytes, |b| is_token(*b))).unwrap_or((bytes, &[]))
}

/// How many of the first bytes are such.
fn end_of(bytes: &[u8], is_such: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(|b| !is_such(b)).unwrap_or(bytes.len())
}

/// `token` of RFC 2045.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !is_special(byte)
}

/// `tspecials` of RFC 2045.
const fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'"' | b'/' | b'[' | b']' | b'?' | b'='
    )
}

/// Without white space of Unicode at both ends.
fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = trim_start(bytes);
    // Bytes that are no text make no type in any case.
    std::str::from_utf8(bytes).map_or(bytes, |text| text.trim_end().as_bytes())
}

/// Without white space of Unicode in front. Looks at no more than it takes away.
fn trim_start(mut bytes: &[u8]) -> &[u8] {
    loop {
        let head = bytes.get(..bytes.len().min(4)).unwrap_or_default();
        let first = head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        match first.filter(|c| c.is_whitespace()).and_then(|space| bytes.get(space.len_utf8()..)) {
            Some(after) => bytes = after,
            None => return bytes,
        }
    }
}
