//! Gathers events into uploads: gzipped JSON lists of a limited size.
//!
//! How well events compress is learnt from the chunks before: events gather until their plain bytes are what is expected to
//! fill a chunk. A list that comes out too large is halved.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value};

/// Compressed bytes of one upload unless configured.
pub const DEFAULT_LIMIT: usize = 32_768;
/// The largest that is configured: chunks are made in memory.
pub const LARGEST_LIMIT: usize = 64 << 20;
/// Plain bytes that gather at most: a multiple of the limit, within what memory is for.
const MOST: usize = 32;
const MOST_PLAIN: usize = 16 << 20;
/// Level of gzip: events repeat each other, so that a fast one does.
const LEVEL: Compression = Compression::new(3);

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// How many events are in it.
    pub events: u64,
    /// The gzipped list.
    pub bytes: Bytes,
}

/// What came of events that were gathered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// In the order of the events.
    pub chunks: Vec<Chunk>,
    /// Events that are too large even alone.
    pub too_large: u64,
    /// Events that only fit without `nd_builtin_cache`.
    pub caches_dropped: u64,
}

/// Events that gather.
#[derive(Debug)]
pub struct Chunker {
    limit: usize,
    /// Plain bytes that are expected to fill a chunk.
    expected: usize,
    lines: Vec<Vec<u8>>,
    plain: usize,
}

impl Chunker {
    /// `limit` is the size of an upload in compressed bytes.
    pub fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, LARGEST_LIMIT);
        let mut chunker = Self { limit, expected: 0, lines: Vec::new(), plain: 0 };
        chunker.expect(limit.saturating_mul(2));
        chunker
    }

    /// Whether nothing gathers.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether another event of that many bytes should gather with those there are; if not, they are to be sealed first.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.lines.is_empty() || self.plain.saturating_add(bytes) <= self.expected
    }

    /// Adds an event.
    pub fn push(&mut self, line: Vec<u8>) {
        self.plain = self.plain.saturating_add(line.len()).saturating_add(1);
        self.lines.push(line);
    }

    /// Everything that gathered, as chunks within the limit.
    pub fn seal(&mut self) -> Sealed {
        let lines = std::mem::take(&mut self.lines);
        self.plain = 0;
        let mut sealed = Sealed::default();
        self.pack(&lines, &mut sealed);
        sealed
    }

    fn pack(&mut self, lines: &[Vec<u8>], sealed: &mut Sealed) {
        if lines.is_empty() {
            return;
        }
        let bytes = compress(lines);
        self.learn(lines.iter().map(Vec::len).sum(), bytes.len());
        if bytes.len() <= self.limit {
            sealed.chunks.push(Chunk { events: lines.len() as u64, bytes });
            return;
        }
        if let [alone] = lines {
            match without_cache(alone).map(|line| compress(&[line])).filter(|bytes| bytes.len() <= self.limit) {
                Some(bytes) => {
                    sealed.caches_dropped += 1;
                    sealed.chunks.push(Chunk { events: 1, bytes });
                }
                None => sealed.too_large += 1,
            }
            return;
        }
        let (first, second) = lines.split_at(lines.len() / 2);
        self.pack(first, sealed);
        self.pack(second, sealed);
    }

    /// Half way from what was expected to what would have filled nine tenths of the limit.
    fn learn(&mut self, plain: usize, compressed: usize) {
        // Little says nothing about much: gzip has a fixed part, and events are like those before.
        if compressed < self.limit / 4 && plain < self.expected / 2 {
            return;
        }
        let fitting = plain.saturating_mul(self.limit / 10 * 9) / compressed.max(1);
        self.expect(usize::midpoint(self.expected, fitting));
    }

    fn expect(&mut self, plain: usize) {
        let most = self.limit.saturating_mul(MOST).min(MOST_PLAIN.max(self.limit));
        self.expected = plain.clamp(self.limit, most);
    }
}

fn compress(lines: &[Vec<u8>]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), LEVEL);
    let mut all = |bytes: &[u8]| gzip.write_all(bytes);
    // Writing to memory does not fail.
    let _infallible = all(b"[").and_then(|()| {
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                all(b",")?;
            }
            all(line)?;
        }
        all(b"]")
    });
    gzip.finish().unwrap_or_default().into()
}

/// The event without `nd_builtin_cache`; `None` when it has none.
fn without_cache(line: &[u8]) -> Option<Vec<u8>> {
    let mut event: Map<String, Value> = serde_json::from_slice(line).ok()?;
    event.remove("nd_builtin_cache")?;
    serde_json::to_vec(&event).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn open(chunk: &Chunk) -> Vec<Value> {
        let mut text = String::new();
        GzDecoder::new(&chunk.bytes[..]).read_to_string(&mut text).unwrap();
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(events.len() as u64, chunk.events);
        events
    }

    /// Text that hardly compresses.
    fn noise(seed: u64, len: usize) -> String {
        let mut state = seed.wrapping_mul(2).wrapping_add(1);
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
        };
        (0..len).map(|_| next()).collect()
    }

    fn event(id: u64, len: usize) -> Value {
        json!({ "id": id, "text": noise(id, len) })
    }

    fn push_all(chunker: &mut Chunker, events: &[Value]) -> Sealed {
        let mut all = Sealed::default();
        let mut add = |sealed: Sealed| {
            all.chunks.extend(sealed.chunks);
            all.too_large += sealed.too_large;
            all.caches_dropped += sealed.caches_dropped;
        };
        for event in events {
            let line = serde_json::to_vec(event).unwrap();
            if !chunker.has_room(line.len()) {
                add(chunker.seal());
            }
            chunker.push(line);
        }
        add(chunker.seal());
        all
    }

    #[test]
    fn chunks_hold_all_events_in_their_order() {
        let events: Vec<Value> = (0..500).map(|id| event(id, 40)).collect();
        let sealed = push_all(&mut Chunker::new(1_000), &events);
        assert!(sealed.chunks.len() > 5, "{}", sealed.chunks.len());
        assert!(sealed.chunks.iter().all(|chunk| chunk.bytes.len() <= 1_000));
        let out: Vec<Value> = sealed.chunks.iter().flat_map(open).collect();
        assert_eq!(out, events);
        assert_eq!((sealed.too_large, sealed.caches_dropped), (0, 0));
    }

    #[test]
    fn chunks_are_well_filled_once_events_are_known() {
        let events: Vec<Value> = (0..20_000).map(|id| json!({ "id": id, "path": "/a/b/c", "result": true })).collect();
        let sealed = push_all(&mut Chunker::new(4_096), &events);
        let full: Vec<usize> = sealed.chunks.iter().skip(8).rev().skip(1).map(|chunk| chunk.bytes.len()).collect();
        assert!(full.len() > 4, "{}", sealed.chunks.len());
        let average = full.iter().sum::<usize>() / full.len();
        assert!((2_500..=4_096).contains(&average), "{average} of {full:?}");
    }

    #[test]
    fn an_event_that_is_too_large_loses_its_cache_first() {
        let large = json!({ "id": 1, "nd_builtin_cache": { "http.send": noise(1, 4_000) } });
        let hopeless = json!({ "id": 2, "text": noise(2, 4_000), "nd_builtin_cache": { "x": 1 } });
        let sealed = push_all(&mut Chunker::new(500), &[json!({ "id": 0 }), large, hopeless, json!({ "id": 3 })]);
        let out: Vec<Value> = sealed.chunks.iter().flat_map(open).collect();
        assert_eq!(out, [json!({ "id": 0 }), json!({ "id": 1 }), json!({ "id": 3 })]);
        assert_eq!((sealed.too_large, sealed.caches_dropped), (1, 1));
    }

    #[test]
    fn nothing_gathered_is_no_chunk() {
        assert_eq!(Chunker::new(100).seal(), Sealed::default());
    }

    proptest! {
        #[test]
        fn no_chunk_is_over_the_limit_and_no_event_is_lost_uncounted(
            sizes in proptest::collection::vec(0_usize..2_000, 0..60), limit in 1_usize..3_000
        ) {
            let events: Vec<Value> = sizes.iter().zip(0..).map(|(len, id)| event(id, *len)).collect();
            let sealed = push_all(&mut Chunker::new(limit), &events);
            prop_assert!(sealed.chunks.iter().all(|chunk| chunk.bytes.len() <= limit));
            let out = sealed.chunks.iter().flat_map(open).count() as u64;
            prop_assert_eq!(out + sealed.too_large, events.len() as u64);
        }
    }
}
