//! The parts of a body, between lines with the boundary.

use memchr::memmem::Finder;

use super::header::Header;
use crate::input::text;

/// The longest line that a boundary may stand in: the buffer of Go's reader.
const MAX_LINE: usize = 4096;

/// One part.
pub(super) struct Part<'a> {
    pub(super) header: Header,
    pub(super) data: &'a [u8],
    /// False when the body ends before a boundary does end the part.
    pub(super) is_whole: bool,
}

/// The parts that are still to come.
pub(super) struct Parts<'a> {
    rest: &'a [u8],
    /// `--` and the boundary.
    dashes: Vec<u8>,
    /// Finds a line break before dashes and the boundary.
    finder: Finder<'static>,
    line_break: &'static [u8],
    any: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn new(body: &'a [u8], boundary: &[u8]) -> Self {
        let dashes = [b"--", boundary].concat();
        let line_break = b"\r\n";
        let finder = Finder::new(&[line_break, dashes.as_slice()].concat()).into_owned();
        Self { rest: body, dashes, finder, line_break, any: false }
    }

    /// True when lines end with a line feed alone: the first boundary says so.
    pub(super) const fn has_bare_line_feeds(&self) -> bool {
        self.line_break.len() == 1
    }

    /// The next part; `None` behind the last, and for a body that is cut in the headers of a part.
    pub(super) fn next(&mut self) -> Result<Option<Part<'a>>, String> {
        let mut part_must_follow = false;
        loop {
            let line = self.line()?;
            if self.is_delimiter(line) {
                self.any = true;
                return self.part();
            }
            if self.is_end(line) {
                return Ok(None);
            }
            // What stands before the first part is skipped.
            if self.any {
                self.separator(line, &mut part_must_follow)?;
            }
        }
    }

    /// Between a part and a boundary there is one line break and nothing else.
    fn separator(&self, line: &[u8], part_must_follow: &mut bool) -> Result<(), String> {
        if *part_must_follow {
            return Err(format!("multipart: expecting a new Part; got line {}", text::quote(line)));
        }
        if line != self.line_break {
            return Err(format!("multipart: unexpected line in Next(): {}", text::quote(line)));
        }
        *part_must_follow = true;
        Ok(())
    }

    /// The next line with its break. Only the line that ends the whole may lack one.
    fn line(&mut self) -> Result<&'a [u8], String> {
        let window = self.rest.get(..MAX_LINE).unwrap_or(self.rest);
        let len = match memchr::memchr(b'\n', window) {
            Some(at) => at + 1,
            None if window.len() < MAX_LINE && self.is_end(window) => window.len(),
            None if window.len() < MAX_LINE => return Err("multipart: NextPart: EOF".to_owned()),
            None => return Err("multipart: NextPart: bufio: buffer full".to_owned()),
        };
        let (line, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Ok(line)
    }

    /// Whether the line begins a part. The first that does says how lines end.
    fn is_delimiter(&mut self, line: &[u8]) -> bool {
        let Some(behind) = line.strip_prefix(self.dashes.as_slice()).map(trim_blanks) else { return false };
        if !self.any && behind == b"\n" {
            self.line_break = b"\n";
            self.finder = Finder::new(&[b"\n", self.dashes.as_slice()].concat()).into_owned();
        }
        behind == self.line_break
    }

    fn is_end(&self, line: &[u8]) -> bool {
        let behind = line.strip_prefix(self.dashes.as_slice()).and_then(|behind| behind.strip_prefix(b"--"));
        behind.map(trim_blanks).is_some_and(|behind| behind.is_empty() || behind == self.line_break)
    }

    fn part(&mut self) -> Result<Option<Part<'a>>, String> {
        let Some(header) = Header::read(&mut self.rest)? else { return Ok(None) };
        let (len, is_whole) = self.data_len();
        let (data, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Ok(Some(Part { header, data, is_whole }))
    }

    /// How far the data of a part reaches, and whether a boundary ends it. Right at the start the boundary needs no line break.
    fn data_len(&self) -> (usize, bool) {
        let mut from = 0;
        if let Some(behind) = self.rest.strip_prefix(self.dashes.as_slice()) {
            if ends_boundary(behind) {
                return (0, true);
            }
            from = self.dashes.len();
        }
        while let Some(body) = self.rest.get(from..) {
            let Some(at) = self.finder.find(body) else { break };
            let behind = from + at + self.finder.needle().len();
            if self.rest.get(behind..).is_some_and(ends_boundary) {
                return (from + at, true);
            }
            from = behind;
        }
        (self.rest.len() - self.begun_boundary(), false)
    }

    /// How many bytes at the end could be the begin of a boundary line; they are no data.
    fn begun_boundary(&self) -> usize {
        let first = self.finder.needle().first();
        let begun = self.rest.iter().rposition(|b| Some(b) == first).and_then(|at| self.rest.get(at..));
        begun.filter(|begun| self.finder.needle().starts_with(begun)).map_or(0, <[u8]>::len)
    }
}

/// Whether what follows shows that this was the boundary, and not something that begins like it.
const fn ends_boundary(behind: &[u8]) -> bool {
    matches!(behind, [] | [b' ' | b'\t' | b'\r' | b'\n', ..] | [b'-', b'-', ..])
}

/// Without blanks in front.
fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\t', after)) = bytes.split_first() {
        bytes = after;
    }
    bytes
}
