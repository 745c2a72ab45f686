//! Events that gather for the next chunk, one per line, so that they outlive the process.
//!
//! Lines are handed to the system but not forced to the disk: a crash of the process loses none, one of the machine may.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Its name in the folder of the spool.
pub(super) const FILE: &str = "gathering.ndjson";
/// What is read back at most.
const MOST: u64 = 1 << 30;

/// The file, open for writing.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    waiting: Vec<u8>,
}

impl Journal {
    /// Opens the file; gives the whole lines that an earlier process left there, which stay until [`Journal::clear`].
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        let mut left = Vec::new();
        (&mut file).take(MOST).read_to_end(&mut left)?;
        // The last line may have been cut off.
        let whole = left.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        left.truncate(whole);
        file.set_len(whole as u64)?;
        file.seek(io::SeekFrom::End(0))?;
        let lines = left.split(|byte| *byte == b'\n').filter(|line| is_event(line)).map(<[u8]>::to_vec).collect();
        Ok((Self { file, waiting: Vec::new() }, lines))
    }

    /// Adds a line; [`Journal::flush`] hands it to the system.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let written = if self.waiting.is_empty() { Ok(()) } else { self.file.write_all(&self.waiting) };
        self.waiting.clear();
        written
    }

    /// Forgets all lines: they are in chunks.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.waiting.clear();
        self.file.set_len(0)?;
        self.file.seek(io::SeekFrom::Start(0)).map(drop)
    }
}

/// Whatever is in the file must not spoil a chunk.
fn is_event(line: &[u8]) -> bool {
    line.first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_outlive_their_writer() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE);
        let (mut journal, none) = Journal::open(&path).unwrap();
        assert!(none.is_empty());
        for line in ["{\"a\":1}", "{\"a\":2}"] {
            journal.add(line.as_bytes());
        }
        journal.flush().unwrap();
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"nonsense\n{\"a\":").unwrap();

        let (mut journal, lines) = Journal::open(&path).unwrap();
        assert_eq!(lines, [b"{\"a\":1}".to_vec(), b"{\"a\":2}".to_vec()]);
        journal.clear().unwrap();
        journal.add(b"{\"a\":3}");
        journal.flush().unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().1, [b"{\"a\":3}".to_vec()]);
    }
}
