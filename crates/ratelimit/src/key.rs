//! Keys of counters: an injective encoding, so that no two different things share a counter.

use smallvec::SmallVec;

/// A finished key.
pub type Key = SmallVec<[u8; 64]>;

/// Builds a key from parts, each with its length, so that (`ab`, `c`) and (`a`, `bc`) differ.
#[derive(Debug, Clone)]
pub struct KeyBuilder(Key);

impl KeyBuilder {
    /// A key of a kind; kinds keep keys of different meaning apart.
    pub fn new(kind: &str) -> Self {
        Self(Key::new()).part(kind.as_bytes())
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, part: &[u8]) -> Self {
        self.0.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.extend_from_slice(part);
        self
    }

    /// The key.
    pub fn finish(self) -> Key {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn different_parts_make_different_keys(a in proptest::collection::vec("[a-c]{0,3}", 0..4), b in proptest::collection::vec("[a-c]{0,3}", 0..4)) {
            let key = |parts: &[String]| parts.iter().fold(KeyBuilder::new("k"), |k, p| k.part(p.as_bytes())).finish();
            proptest::prop_assert_eq!(a == b, key(&a) == key(&b));
        }
    }
}
