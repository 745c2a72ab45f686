//! Simple mutations, for runs without coverage.

/// Makes inputs out of seeds; the same ones in every run with the same number.
#[derive(Debug)]
pub struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// Starts from these seeds.
    pub const fn new(seeds: &'a [Vec<u8>], number: u64) -> Self {
        Self { seeds, state: number }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input.truncate(MAX_INPUT);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => input.truncate(at),
            1 => input.insert(at, self.byte()),
            2 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
            3 => {
                let new = self.byte();
                if let Some(byte) = input.get_mut(at) {
                    *byte = new;
                }
            }
            4 if at < input.len() => {
                let end = at + self.below(input.len() - at);
                input.drain(at..end);
            }
            5 => {
                let end = at + self.below(input.len() - at + 1);
                let copy = input.get(at..end).unwrap_or_default().to_vec();
                let to = self.below(input.len() + 1);
                input.splice(to..to, copy);
            }
            6 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                let part = other.get(from..).unwrap_or_default();
                input.splice(at.., part.iter().copied());
            }
            _ => {
                let word = WORDS.get(self.below(WORDS.len())).copied().unwrap_or_default();
                input.splice(at..at, word.iter().copied());
            }
        }
    }

    fn seed(&mut self) -> &'a [u8] {
        let position = self.below(self.seeds.len());
        self.seeds.get(position).map_or(&[], Vec::as_slice)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }

    /// SplitMix64.
    fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        usize::try_from(z.checked_rem(n).unwrap_or_default()).unwrap_or_default()
    }
}

const MAX_INPUT: usize = 1 << 16;

/// What parsers trip over.
const WORDS: [&[u8]; 24] = [
    b"..",
    b"/../",
    b"//",
    b"%2e",
    b"%2F",
    b"%5c",
    b"%00",
    b";",
    b"\\",
    b"#",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"- ",
    b"\n",
    b"&a *a",
    b"<<",
    b"\"",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
];
