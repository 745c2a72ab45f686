//! The headers of a part, as Go's `net/textproto` reads them.

use memchr::memmem;

use super::media_type;
use crate::input::text;

/// The most headers of a part.
const MAX_HEADERS: usize = 10_000;
/// The longest first line that a message about it shows.
const MAX_SHOWN: usize = 80;

const TOO_LARGE: &str = "multipart: message too large";

/// The headers that count: the first of each.
#[derive(Default)]
pub(super) struct Header {
    disposition: Option<Vec<u8>>,
    kind: Option<Vec<u8>>,
    encoding: Option<Vec<u8>>,
}

impl Header {
    /// Reads up to the empty line; `None` when the body ends before it.
    pub(super) fn read(rest: &mut &[u8]) -> Result<Option<Self>, String> {
        if let Some(b' ' | b'\t') = rest.first() {
            let first = line(rest).unwrap_or_default();
            if first.len() > MAX_SHOWN {
                return Err(TOO_LARGE.to_owned());
            }
            return Err(format!("malformed MIME header initial line: {}", text::quote(first)));
        }
        let mut header = Self::default();
        let mut count = 0;
        while let Some(line) = folded_line(rest)? {
            if line.is_empty() {
                return Ok(Some(header));
            }
            let (name, value) = split(&line).ok_or_else(|| malformed(&line))?;
            count += 1;
            if count > MAX_HEADERS {
                return Err(TOO_LARGE.to_owned());
            }
            header.keep(name, value);
        }
        Ok(None)
    }

    fn keep(&mut self, name: &[u8], value: &[u8]) {
        let place = match name.to_ascii_lowercase().as_slice() {
            b"content-disposition" => &mut self.disposition,
            b"content-type" => &mut self.kind,
            b"content-transfer-encoding" => &mut self.encoding,
            _ => return,
        };
        place.get_or_insert_with(|| value.to_vec());
    }

    /// The name of a part of a form; a part that is none, or has no name, is left out.
    pub(super) fn form_name(&self) -> Option<Vec<u8>> {
        let mut disposition = media_type::parse(self.disposition.as_ref()?).ok()?;
        if disposition.kind != b"form-data" {
            return None;
        }
        disposition.parameters.remove(&b"name"[..]).filter(|name| !name.is_empty())
    }

    pub(super) fn is_json(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| memmem::find(kind, b"application/json").is_some())
    }

    pub(super) fn is_quoted_printable(&self) -> bool {
        self.encoding.as_ref().is_some_and(|encoding| encoding.eq_ignore_ascii_case(b"quoted-printable"))
    }
}

/// A line without its break; `None` at the end.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let (line, after) = match memchr::memchr(b'\n', rest).and_then(|at| rest.split_at_checked(at)) {
        Some((line, after)) => (line.strip_suffix(b"\r").unwrap_or(line), after.get(1..).unwrap_or_default()),
        None => (*rest, <&[u8]>::default()),
    };
    *rest = after;
    Some(line)
}

/// A line with those that begin with a blank behind it, joined by single spaces.
fn folded_line(rest: &mut &[u8]) -> Result<Option<Vec<u8>>, String> {
    let Some(first) = line(rest) else { return Ok(None) };
    if first.is_empty() {
        return Ok(Some(Vec::new()));
    }
    if !first.contains(&b':') {
        return Err(format!("malformed MIME header: missing colon: {}", text::quote(first)));
    }
    let mut folded = trim(first).to_vec();
    while let Some(b' ' | b'\t') = rest.first() {
        folded.push(b' ');
        folded.extend_from_slice(line(rest).map(trim).unwrap_or_default());
    }
    Ok(Some(folded))
}

/// Name and value; `None` when one of them has bytes that cannot be there. A space in a name is let pass, as in Go.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let value = value.strip_prefix(b":")?;
    let is_name = !name.is_empty() && name.iter().all(|b| *b == b' ' || is_name_byte(*b));
    let is_value = value.iter().all(|b| matches!(b, b'\t' | b' '..=b'~' | 0x80..));
    let start = value.iter().position(|b| !is_blank(*b)).unwrap_or(value.len());
    (is_name && is_value).then_some((name, value.get(start..)?))
}

/// Go's message; a name that can be one is shown as Go writes names, with a capital in front and behind each hyphen.
fn malformed(line: &[u8]) -> String {
    let mut shown = line.to_vec();
    let end = memchr::memchr(b':', line).unwrap_or_default();
    let name = shown.get_mut(..end).unwrap_or_default();
    if name.iter().all(|b| is_name_byte(*b)) {
        let mut is_first = true;
        for byte in name {
            *byte = if is_first { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
            is_first = *byte == b'-';
        }
    }
    format!("malformed MIME header line: {}", text::quote(&shown))
}

/// `tchar` of RFC 9110 §5.6.2.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !is_blank(*b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !is_blank(*b)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
