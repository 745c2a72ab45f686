//! The folder of the spool: finished chunks as files whose names say their order and how many events they hold.
//!
//! A chunk is written under another name and renamed when it is on the disk, so that a file with the name of a chunk is whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".json.gz";
const UNFINISHED: &str = ".tmp";
const ASIDE: &str = ".corrupt";
const LOCK: &str = "lock";

/// What a file's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Place in the order.
    pub(super) number: u64,
    /// How many events are in it.
    pub(super) events: u64,
}

impl Name {
    fn file(self) -> String {
        format!("{:020}-{}{SUFFIX}", self.number, self.events)
    }

    fn parse(file: &str) -> Option<Self> {
        let (number, events) = file.strip_suffix(SUFFIX)?.split_once('-')?;
        let name = Self { number: number.parse().ok()?, events: events.parse().ok()? };
        // Only what is written here: a number has one form.
        (name.file() == file).then_some(name)
    }
}

/// The folder, held by this process alone.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Released when closed.
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing and takes hold of it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::Error::other("another process writes its decision logs there"),
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The chunks that are there, with their sizes, in their order. What was not finished is removed; what is none of ours is
    /// left alone and told.
    pub(super) fn chunks(&self) -> io::Result<Vec<(Name, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file.ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
                continue;
            }
            match (Name::parse(&file), entry.metadata()) {
                (Some(name), Ok(about)) if about.is_file() => found.push((name, about.len())),
                _ if file == LOCK || file == super::journal::FILE || file.ends_with(ASIDE) => {}
                _ => tracing::warn!(%file, "decision logs: a file that is none of theirs is left alone"),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Puts a chunk on the disk.
    pub(super) fn write(&self, name: Name, bytes: &[u8]) -> io::Result<()> {
        let (unfinished, finished) = (self.path.join(name.file() + UNFINISHED), self.path(name));
        let written = write_all(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, finished));
        if let Err(error) = written {
            let _nothing_left_of_it = fs::remove_file(&unfinished);
            return Err(error);
        }
        File::open(&self.path)?.sync_all()
    }

    pub(super) fn read(&self, name: Name) -> io::Result<Vec<u8>> {
        fs::read(self.path(name))
    }

    pub(super) fn remove(&self, name: Name) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    /// Gives a file that cannot be read another name, for whoever wants to look at it.
    pub(super) fn move_aside(&self, name: Name) -> io::Result<()> {
        fs::rename(self.path(name), self.path.join(name.file() + ASIDE))
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join(super::journal::FILE)
    }

    fn path(&self, name: Name) -> PathBuf {
        self.path.join(name.file())
    }
}

fn write_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_holds() {
        let name = Name { number: 7, events: 31 };
        assert_eq!(name.file(), "00000000000000000007-31.json.gz");
        assert_eq!(Name::parse(&name.file()), Some(name));
        for other in ["7-31.json.gz", "00000000000000000007-31.json", "00000000000000000007-x.json.gz", "a.json.gz"] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_folder_has_one_owner() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let first = Folder::open(&path).unwrap();
        assert!(Folder::open(&path).unwrap_err().to_string().contains("another process"));
        drop(first);
        Folder::open(&path).unwrap();
    }
}
