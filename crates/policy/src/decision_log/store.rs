//! From an event to a chunk that waits: gathering, with its journal, and the spool, behind one lock.
//!
//! The lock is held while a chunk is written. Only the log's own thread and the uploader wait for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::chunk::Chunker;
use super::folder::Folder;
use super::journal::Journal;
use super::loss::{Loss, Observer};
use super::spool::Spool;

/// What waits to be uploaded, and how much of it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// The folder of the spool.
    pub folder: PathBuf,
    /// Compressed bytes of one upload.
    pub upload_bytes: usize,
    /// Compressed bytes that may wait.
    pub bound_bytes: u64,
}

/// Events that wait to be uploaded.
pub struct Store {
    state: Mutex<State>,
}

struct State {
    chunker: Chunker,
    journal: Option<Journal>,
    spool: Spool,
    observer: Arc<dyn Observer>,
}

impl Store {
    /// Takes over what an earlier process left. A folder that cannot be used is told, and everything stays in memory.
    pub fn open(options: &StoreOptions, observer: Arc<dyn Observer>) -> Arc<Self> {
        let folder = told(&options.folder, Folder::open(&options.folder));
        let journal = folder.as_ref().and_then(|folder| told(&options.folder, Journal::open(&folder.journal())));
        let (journal, left) = journal.map_or((None, Vec::new()), |(journal, left)| (Some(journal), left));
        let spool = Spool::open(folder, options.bound_bytes, Arc::clone(&observer));
        // A chunk larger than all that may wait could never wait.
        let most = usize::try_from(options.bound_bytes).unwrap_or(usize::MAX);
        let chunker = Chunker::new(options.upload_bytes.min(most));
        let mut state = State { chunker, journal, spool, observer };
        let gathered = left.len();
        for line in left {
            if !state.chunker.has_room(line.len()) {
                state.pack();
            }
            state.chunker.push(line);
        }
        state.seal();
        let chunks = state.spool.len();
        if chunks > 0 {
            tracing::info!(chunks, gathered, "decision logs: an earlier process left some, they are uploaded first");
        }
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Adds an event; [`Store::flush`] makes it outlive the process.
    pub fn add(&self, line: Vec<u8>) {
        let mut state = self.state.lock();
        if !state.chunker.has_room(line.len()) {
            state.seal();
        }
        if let Some(journal) = &mut state.journal {
            journal.add(&line);
        }
        state.chunker.push(line);
    }

    /// Hands what was added to the system.
    pub fn flush(&self) {
        let mut state = self.state.lock();
        let flushed = state.journal.as_mut().map(Journal::flush);
        state.check_journal(flushed);
    }

    /// Makes chunks of what gathered.
    pub fn seal(&self) {
        self.state.lock().seal();
    }

    /// The chunk after that number, with its own number; the first one without.
    pub fn next_after(&self, number: Option<u64>) -> Option<(u64, Bytes)> {
        self.state.lock().spool.next_after(number)
    }

    /// Forgets a chunk: it was acknowledged.
    pub fn acknowledged(&self, number: u64) {
        self.state.lock().spool.acknowledged(number);
    }

    /// The service understood the chunk and did not want it.
    pub fn refused(&self, number: u64) {
        self.state.lock().spool.refused(number);
    }

    /// Leaves everything on disk; what is only in memory is counted as lost.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.seal();
        state.spool.end();
    }
}

impl State {
    fn seal(&mut self) {
        self.pack();
        // After a crash between the two, events are sent twice rather than never.
        let cleared = self.journal.as_mut().map(Journal::clear);
        self.check_journal(cleared);
    }

    fn pack(&mut self) {
        let sealed = self.chunker.seal();
        if sealed.too_large > 0 {
            tracing::warn!(events = sealed.too_large, "decision logs: larger than upload_size_limit_bytes even alone");
            self.observer.lost(Loss::TooLarge, sealed.too_large);
        }
        if sealed.caches_dropped > 0 {
            self.observer.cache_dropped(sealed.caches_dropped);
        }
        for chunk in sealed.chunks {
            self.spool.push(chunk);
        }
    }

    fn check_journal(&mut self, result: Option<std::io::Result<()>>) {
        if let Some(Err(error)) = result {
            tracing::error!(%error, "decision logs: events that gather are from now on in memory only");
            self.journal = None;
        }
    }
}

fn told<T>(folder: &Path, result: std::io::Result<T>) -> Option<T> {
    result
        .inspect_err(|error| {
            tracing::error!(folder = %folder.display(), %error, "decision logs: the folder cannot be used; what waits is in memory only and ends with the process");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use serde_json::{Value, json};

    use super::super::testing::Counts;
    use super::*;

    fn options(folder: &Path) -> StoreOptions {
        StoreOptions { folder: folder.join("decision_logs"), upload_bytes: 400, bound_bytes: 1 << 20 }
    }

    fn open(options: &StoreOptions) -> (Arc<Store>, Arc<Counts>) {
        let counts = Arc::new(Counts::default());
        (Store::open(options, Arc::clone(&counts) as Arc<dyn Observer>), counts)
    }

    fn drain(store: &Store) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some((number, bytes)) = store.next_after(None) {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
            let events: Vec<Value> = serde_json::from_str(&text).unwrap();
            ids.extend(events.iter().map(|event| event["id"].as_u64().unwrap()));
            store.acknowledged(number);
        }
        ids
    }

    fn add(store: &Store, ids: std::ops::Range<u64>) {
        ids.for_each(|id| {
            store.add(json!({ "id": id, "x": format!("{:x}", id * 7_919_999) }).to_string().into_bytes())
        });
        store.flush();
    }

    #[test]
    fn events_outlive_a_process_that_is_killed() {
        let root = tempfile::tempdir().unwrap();
        let options = options(root.path());
        let (store, _) = open(&options);
        add(&store, 0..100);
        // Neither sealed nor ended.
        drop(store);
        let (store, _) = open(&options);
        add(&store, 100..103);
        drop(store);
        let (store, counts) = open(&options);
        assert_eq!(drain(&store), (0..103).collect::<Vec<_>>());
        assert_eq!(counts.lost_in_all(), 0);
        drop(store);
        assert!(drain(&open(&options).0).is_empty());
    }

    #[test]
    fn an_end_leaves_everything_on_disk() {
        let root = tempfile::tempdir().unwrap();
        let (store, counts) = open(&options(root.path()));
        add(&store, 0..5);
        store.end();
        drop(store);
        assert_eq!(drain(&open(&options(root.path())).0), [0, 1, 2, 3, 4]);
        assert_eq!(counts.lost_in_all(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_made_leaves_memory() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("decision_logs"), "a file").unwrap();
        let (store, counts) = open(&options(root.path()));
        add(&store, 0..3);
        store.seal();
        assert_eq!(drain(&store), [0, 1, 2]);
        add(&store, 3..6);
        store.end();
        assert_eq!(counts.lost(Loss::Unsent), 3);
    }

    #[test]
    fn what_is_too_large_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let (store, counts) = open(&StoreOptions { upload_bytes: 10, ..options(root.path()) });
        add(&store, 0..3);
        store.seal();
        assert_eq!((drain(&store).len(), counts.lost(Loss::TooLarge)), (0, 3));
    }
}
