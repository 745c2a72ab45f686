//! Finished chunks that wait to be uploaded: on disk within a bound, or in memory where the disk takes none.
//!
//! Beyond the bound the oldest goes first, and its events are counted.

use std::collections::VecDeque;
use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;

use super::chunk::Chunk;
use super::folder::{Folder, Name};
use super::loss::{Loss, Observer};

/// Bytes that wait in memory at most, whatever the bound is.
const IN_MEMORY: u64 = 64 << 20;
/// What a chunk of an earlier process holds at most, unpacked.
const UNPACKED: u64 = 4 << 30;

/// What waits.
pub(super) struct Spool {
    folder: Option<Folder>,
    waiting: VecDeque<Waiting>,
    bound: u64,
    on_disk: u64,
    in_memory: u64,
    next: u64,
    observer: Arc<dyn Observer>,
    /// Whether the last chunk could be written.
    writes: bool,
}

struct Waiting {
    name: Name,
    size: u64,
    place: Place,
    was_refused: bool,
}

enum Place {
    /// Written by an earlier process.
    Found,
    Disk,
    Memory(Bytes),
}

impl Spool {
    /// A spool of at most `bound` bytes, with what an earlier process left in the folder; in memory alone without one.
    pub(super) fn open(folder: Option<Folder>, bound: u64, observer: Arc<dyn Observer>) -> Self {
        let found = folder.as_ref().map(Folder::chunks).transpose().unwrap_or_else(|error| {
            tracing::error!(%error, "decision logs: the folder cannot be listed, what is in it is left there");
            None
        });
        let waiting: VecDeque<Waiting> = found
            .unwrap_or_default()
            .into_iter()
            .map(|(name, size)| Waiting { name, size, place: Place::Found, was_refused: false })
            .collect();
        let next = waiting.back().map_or(0, |last| last.name.number.saturating_add(1));
        let on_disk = waiting.iter().map(|one| one.size).sum();
        let mut spool = Self { folder, waiting, bound, on_disk, in_memory: 0, next, observer, writes: true };
        spool.make_room(0, 0);
        spool.tell();
        spool
    }

    /// Adds a chunk.
    pub(super) fn push(&mut self, chunk: Chunk) {
        let size = chunk.bytes.len() as u64;
        if size > self.bound {
            return self.observer.lost(Loss::SpoolFull, chunk.events);
        }
        let name = Name { number: self.next, events: chunk.events };
        self.next = self.next.saturating_add(1);
        self.make_room(size, 0);
        let written = self.folder.as_ref().map(|folder| folder.write(name, &chunk.bytes));
        let place = if written.is_some_and(|written| self.told(written)) {
            self.on_disk += size;
            Place::Disk
        } else {
            self.make_room(size, size);
            self.in_memory += size;
            Place::Memory(chunk.bytes)
        };
        self.waiting.push_back(Waiting { name, size, place, was_refused: false });
        self.tell();
    }

    /// The chunk after that number, with its own number; the first one without.
    pub(super) fn next_after(&mut self, number: Option<u64>) -> Option<(u64, Bytes)> {
        loop {
            let at = self.waiting.partition_point(|one| number.is_some_and(|number| one.name.number <= number));
            let one = self.waiting.get(at)?;
            let name = one.name;
            match self.read(one) {
                Ok(bytes) => return Some((name.number, bytes)),
                Err(problem) => self.give_up(at, name, &problem),
            }
        }
    }

    /// Forgets a chunk: it was acknowledged.
    pub(super) fn acknowledged(&mut self, number: u64) {
        if let Ok(at) = self.waiting.binary_search_by_key(&number, |one| one.name.number) {
            self.forget(at, true);
            self.tell();
        }
    }

    /// The service understood the chunk and did not want it.
    pub(super) fn refused(&mut self, number: u64) {
        if let Ok(at) = self.waiting.binary_search_by_key(&number, |one| one.name.number)
            && let Some(one) = self.waiting.get_mut(at)
        {
            one.was_refused = true;
        }
    }

    /// Counts what is only in memory as lost: the process ends.
    pub(super) fn end(&mut self) {
        let gone: u64 =
            self.waiting.iter().filter(|one| matches!(one.place, Place::Memory(_))).map(|one| one.name.events).sum();
        if gone > 0 {
            tracing::error!(events = gone, "decision logs: neither uploaded nor on disk, and now lost");
            self.observer.lost(Loss::Unsent, gone);
        }
        self.waiting.retain(|one| !matches!(one.place, Place::Memory(_)));
        self.in_memory = 0;
        self.tell();
    }

    /// How many chunks wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn read(&self, one: &Waiting) -> Result<Bytes, String> {
        let folder = || self.folder.as_ref().ok_or_else(|| "there is no folder".to_owned());
        match &one.place {
            Place::Memory(bytes) => Ok(bytes.clone()),
            Place::Disk => folder()?.read(one.name).map(Bytes::from).map_err(|error| error.to_string()),
            Place::Found => {
                let bytes = folder()?.read(one.name).map_err(|error| error.to_string())?;
                let size = std::io::copy(&mut GzDecoder::new(&bytes[..]).take(UNPACKED), &mut std::io::sink());
                match size {
                    Ok(0) => Err("it is empty".to_owned()),
                    Ok(_) => Ok(Bytes::from(bytes)),
                    Err(error) => Err(error.to_string()),
                }
            }
        }
    }

    fn give_up(&mut self, at: usize, name: Name, problem: &str) {
        tracing::error!(number = name.number, events = name.events, problem, "decision logs: a chunk cannot be read");
        if let Some(folder) = &self.folder {
            let _gone_already = folder.move_aside(name);
        }
        self.forget(at, false);
        self.observer.lost(Loss::Corrupt, name.events);
        self.tell();
    }

    /// Drops the oldest until there is room for `size` more bytes in all, `memory` of them in memory.
    fn make_room(&mut self, size: u64, memory: u64) {
        let in_memory = |one: &Waiting| matches!(one.place, Place::Memory(_));
        while self.on_disk + self.in_memory + size > self.bound && !self.waiting.is_empty() {
            self.drop_at(0);
        }
        while memory > 0 && self.in_memory + memory > IN_MEMORY {
            let Some(at) = self.waiting.iter().position(in_memory) else { return };
            self.drop_at(at);
        }
    }

    fn drop_at(&mut self, at: usize) {
        let Some(one) = self.waiting.get(at) else { return };
        let (events, was_refused) = (one.name.events, one.was_refused);
        self.forget(at, true);
        self.observer.lost(if was_refused { Loss::Rejected } else { Loss::SpoolFull }, events);
    }

    fn forget(&mut self, at: usize, also_on_disk: bool) {
        let Some(one) = self.waiting.remove(at) else { return };
        if matches!(one.place, Place::Memory(_)) {
            self.in_memory = self.in_memory.saturating_sub(one.size);
            return;
        }
        self.on_disk = self.on_disk.saturating_sub(one.size);
        if let (true, Some(folder)) = (also_on_disk, &self.folder)
            && let Err(error) = folder.remove(one.name)
        {
            tracing::error!(%error, number = one.name.number, "decision logs: a chunk cannot be removed, it may be sent again");
        }
    }

    /// Says when writing begins to fail, and when it works again.
    fn told(&mut self, written: std::io::Result<()>) -> bool {
        let now = written.is_ok();
        match written {
            Ok(()) if !self.writes => tracing::info!("decision logs: the disk takes chunks again"),
            Err(error) if self.writes => {
                tracing::error!(%error, "decision logs: the disk takes no chunks, they stay in memory");
            }
            _ => {}
        }
        self.writes = now;
        now
    }

    fn tell(&self) {
        self.observer.pending(self.on_disk + self.in_memory);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::chunk::Chunker;
    use super::super::testing::Counts;
    use super::*;

    fn chunk(events: u64) -> Chunk {
        let mut chunker = Chunker::new(32_768);
        (0..events).for_each(|id| chunker.push(format!("{{\"id\":{id}}}").into_bytes()));
        chunker.seal().chunks.remove(0)
    }

    fn open(path: &Path, bound: u64) -> (Spool, Arc<Counts>) {
        let counts = Arc::new(Counts::default());
        (Spool::open(Some(Folder::open(path).unwrap()), bound, Arc::clone(&counts) as Arc<dyn Observer>), counts)
    }

    fn drain(spool: &mut Spool) -> Vec<Bytes> {
        let mut all = Vec::new();
        while let Some((number, bytes)) = spool.next_after(None) {
            all.push(bytes);
            spool.acknowledged(number);
        }
        all
    }

    #[test]
    fn chunks_outlive_the_process_in_their_order() {
        let root = tempfile::tempdir().unwrap();
        let (mut spool, _) = open(root.path(), 1 << 20);
        let chunks: Vec<Chunk> = (1..=12).map(chunk).collect();
        chunks.iter().for_each(|chunk| spool.push(chunk.clone()));
        drop(spool);
        let (mut spool, counts) = open(root.path(), 1 << 20);
        assert_eq!(counts.pending(), chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum::<u64>());
        spool.push(chunk(13));
        let all: Vec<Bytes> = chunks.into_iter().chain([chunk(13)]).map(|chunk| chunk.bytes).collect();
        assert_eq!(drain(&mut spool), all);
        assert_eq!((counts.pending(), counts.lost_in_all()), (0, 0));
        drop(spool);
        assert_eq!(open(root.path(), 1 << 20).0.len(), 0);
    }

    #[test]
    fn beyond_the_bound_the_oldest_goes_and_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let bound = chunk(5).bytes.len() as u64 * 3;
        let (mut spool, counts) = open(root.path(), bound);
        (0..10).for_each(|_| spool.push(chunk(5)));
        assert_eq!((spool.len(), counts.lost(Loss::SpoolFull)), (3, 35));
        assert!(counts.pending() <= bound);
        spool.refused(7);
        spool.push(chunk(5));
        assert_eq!((counts.lost(Loss::SpoolFull), counts.lost(Loss::Rejected)), (35, 5));
        drop(spool);
        let (spool, counts) = open(root.path(), bound / 3 + 1);
        assert_eq!((spool.len(), counts.lost(Loss::SpoolFull)), (1, 10));
    }

    #[test]
    fn a_chunk_larger_than_the_bound_does_not_push_out_others() {
        let root = tempfile::tempdir().unwrap();
        let (mut spool, counts) = open(root.path(), chunk(1).bytes.len() as u64);
        spool.push(chunk(1));
        spool.push(chunk(500));
        assert_eq!((spool.len(), counts.lost(Loss::SpoolFull)), (1, 500));
    }

    #[test]
    fn damaged_and_foreign_files_harm_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (mut spool, _) = open(root.path(), 1 << 20);
        (1..=3).for_each(|events| spool.push(chunk(events)));
        drop(spool);
        let file = |name: &str| root.path().join(name);
        std::fs::write(file("00000000000000000001-2.json.gz"), "no gzip").unwrap();
        std::fs::write(file("00000000000000000009-4.json.gz"), "").unwrap();
        std::fs::write(file("00000000000000000008-4.json.gz.tmp"), "half").unwrap();
        std::fs::write(file("notes.txt"), "mine").unwrap();
        std::fs::create_dir(file("00000000000000000007-4.json.gz")).unwrap();
        let (mut spool, counts) = open(root.path(), 1 << 20);
        assert_eq!(drain(&mut spool), [chunk(1).bytes, chunk(3).bytes]);
        assert_eq!((counts.lost(Loss::Corrupt), counts.lost_in_all()), (6, 6));
        assert!(file("00000000000000000001-2.json.gz.corrupt").exists());
        assert!(!file("00000000000000000008-4.json.gz.tmp").exists());
        assert_eq!(std::fs::read_to_string(file("notes.txt")).unwrap(), "mine");
        spool.push(chunk(1));
        assert_eq!(spool.next_after(None).unwrap().0, 10);
    }

    #[test]
    fn without_a_disk_chunks_wait_in_memory() {
        let counts = Arc::new(Counts::default());
        let bound = chunk(5).bytes.len() as u64 * 2;
        let mut spool = Spool::open(None, bound, Arc::clone(&counts) as Arc<dyn Observer>);
        (0..5).for_each(|_| spool.push(chunk(5)));
        assert_eq!((spool.len(), counts.lost(Loss::SpoolFull)), (2, 15));
        spool.acknowledged(3);
        spool.end();
        assert_eq!((counts.lost(Loss::Unsent), counts.pending()), (5, 0));
    }

    #[test]
    fn a_disk_that_takes_nothing_is_no_end() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("logs");
        let (mut spool, counts) = open(&path, 1 << 20);
        spool.push(chunk(1));
        // As good as a full disk, also for root: the folder is gone.
        std::fs::rename(&path, root.path().join("elsewhere")).unwrap();
        spool.push(chunk(2));
        std::fs::rename(root.path().join("elsewhere"), &path).unwrap();
        spool.push(chunk(3));
        assert_eq!(drain(&mut spool), [chunk(1).bytes, chunk(2).bytes, chunk(3).bytes]);
        assert_eq!(counts.lost_in_all(), 0);
    }

    #[test]
    fn files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("logs");
        let (mut spool, _) = open(&path, 1 << 20);
        spool.push(chunk(1));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        for entry in std::fs::read_dir(&path).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }
}
