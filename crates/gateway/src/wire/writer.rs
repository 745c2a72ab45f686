//! Writing protobuf fields (Protocol Buffers encoding, "Message Structure").

/// Writes one message after the other into a growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LEN: u64 = 2;

impl Writer {
    /// An empty buffer with room for `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Raw bytes, already encoded.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn key(&mut self, tag: u32, wire: u64) {
        self.varint(u64::from(tag) << 3 | wire);
    }

    /// An integer or enumeration; written even when zero.
    pub(crate) fn integer(&mut self, tag: u32, value: u64) {
        self.key(tag, VARINT);
        self.varint(value);
    }

    /// An integer or enumeration; absent when zero, as proto3 has it.
    pub(crate) fn nonzero(&mut self, tag: u32, value: u64) {
        if value != 0 {
            self.integer(tag, value);
        }
    }

    /// A `double`.
    pub(crate) fn double(&mut self, tag: u32, value: f64) {
        self.key(tag, FIXED64);
        self.raw(&value.to_le_bytes());
    }

    /// A `string` or `bytes` field; written even when empty.
    pub(crate) fn bytes(&mut self, tag: u32, value: &[u8]) {
        self.key(tag, LEN);
        self.varint(value.len() as u64);
        self.raw(value);
    }

    /// A `string` field; absent when empty.
    pub(crate) fn text(&mut self, tag: u32, value: &str) {
        if !value.is_empty() {
            self.bytes(tag, value.as_bytes());
        }
    }

    /// A message, written by `fill`.
    pub(crate) fn message<T>(&mut self, tag: u32, fill: impl FnOnce(&mut Self) -> T) -> T {
        self.key(tag, LEN);
        // One byte is enough for the length of nearly every message; a longer one moves its content.
        let at = self.bytes.len();
        self.bytes.push(0);
        let result = fill(self);
        let len = self.bytes.len() - at - 1;
        if let (Ok(short), Some(byte)) = (u8::try_from(len), self.bytes.get_mut(at))
            && short < 0x80
        {
            *byte = short;
        } else {
            let mut length = Self::default();
            length.varint(len as u64);
            self.bytes.splice(at..=at, length.bytes);
        }
        result
    }
}
