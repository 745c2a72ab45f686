//! Random messages for the differential tests: well formed, unusual and broken ones.

use super::schema::{Kind, Schema};
use super::writer::Writer;

/// A small generator of random numbers (SplitMix64), so that a failing case can be named by its number.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// The bytes of one case: three of four are messages of `schema`, the others are damaged ones.
pub(crate) fn case(schema: &Schema, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut out = Writer::default();
    message(schema, &mut random, 12, &mut out);
    let mut bytes = out.into_bytes();
    if random.one_in(4) {
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
    }
    bytes
}

fn message(schema: &Schema, random: &mut Random, depth: usize, out: &mut Writer) {
    let most = if depth == 0 { 1 } else { 5 };
    for _ in 0..random.below(most + 1) {
        if random.one_in(24) {
            unknown(random, 3, out);
        } else {
            let (tag, kind) = schema.0[random.below(schema.0.len())];
            field(tag, kind, random, depth.saturating_sub(1), out);
        }
    }
}

fn field(tag: u32, kind: Kind, random: &mut Random, depth: usize, out: &mut Writer) {
    if random.one_in(80) {
        // Another wire type than the definition says.
        return if random.one_in(2) { out.integer(tag, random.next()) } else { out.bytes(tag, b"\x08\x01") };
    }
    match kind {
        Kind::Integer if random.one_in(10) => overlong(tag, random, out),
        Kind::Integer => {
            let shift = random.below(64);
            out.integer(tag, random.next() >> shift);
        }
        Kind::Double => {
            let whole = random.below(1000) as f64;
            out.double(tag, if random.one_in(3) { f64::from_bits(random.next()) } else { whole });
        }
        Kind::Text | Kind::Bytes => {
            let invalid = random.one_in(if matches!(kind, Kind::Text) { 300 } else { 3 });
            out.bytes(tag, if invalid { b"\xff\xfe" } else { TEXTS[random.below(TEXTS.len())].as_bytes() });
        }
        Kind::Message(inner) | Kind::Map(inner) => out.message(tag, |out| message(inner, random, depth, out)),
    }
}

/// A varint with needless bytes, now and then too many of them.
fn overlong(tag: u32, random: &mut Random, out: &mut Writer) {
    out.integer(tag, 0);
    let mut bytes = std::mem::take(out).into_bytes();
    bytes.pop();
    for _ in 0..random.below(11) {
        bytes.push(0x80 | random.below(128) as u8);
    }
    bytes.push(random.below(3) as u8);
    out.raw(&bytes);
}

fn unknown(random: &mut Random, depth: usize, out: &mut Writer) {
    let tag = 14 + random.below(3000) as u32;
    match random.below(5) {
        0 => out.integer(tag, random.next()),
        1 => out.double(tag, 1.5),
        2 => out.bytes(tag, b"\xff\0"),
        3 => {
            raw_key(tag, 5, out);
            out.raw(b"abcd");
        }
        _ => {
            raw_key(tag, 3, out);
            if depth > 0 {
                unknown(random, depth - 1, out);
            }
            raw_key(if random.one_in(10) { tag + 1 } else { tag }, 4, out);
        }
    }
}

fn raw_key(tag: u32, wire: u64, out: &mut Writer) {
    let mut key = u64::from(tag) << 3 | wire;
    while key >= 0x80 {
        out.raw(&[(key & 0x7f) as u8 | 0x80]);
        key >>= 7;
    }
    out.raw(&[key as u8]);
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.next() as u8),
        2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        3 if at < bytes.len() => drop(bytes.remove(at)),
        _ => {
            let end = at + random.below(bytes.len() - at + 1);
            let copy = bytes[at..end].to_vec();
            bytes.extend_from_slice(&copy);
        }
    }
}

/// How many cases a test runs: `GATEHOUSE_FUZZ_CASES`, or `default`.
pub(crate) fn cases(default: u64) -> u64 {
    std::env::var("GATEHOUSE_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

const TEXTS: [&str; 14] = [
    "",
    "a",
    "A",
    "x-b",
    "X-B",
    "x-B",
    "GET",
    "/a/b?c=d",
    "api.company.com",
    ":path",
    "10.0.0.1",
    "é",
    "Ä-x",
    "a rather long text, so that lengths of more than one byte appear: 0123456789012345678901234567890123456789012345678901234567890",
];
