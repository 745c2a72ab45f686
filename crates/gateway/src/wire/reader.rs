//! Reading protobuf fields off a slice (Protocol Buffers encoding, "Message Structure").
//!
//! Accepts and refuses exactly what prost 0.14 does, so that the index and a full decode never disagree on
//! whether bytes are a message.

use std::fmt;

/// How deep messages and groups may nest; prost's limit.
pub(crate) const MAX_DEPTH: u32 = 100;

/// The bytes are not a message of the expected type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A varint is longer than ten bytes, overflows, or is cut off.
    #[error("invalid varint")]
    Varint,
    /// A field key has tag 0, an unknown wire type, or does not fit 32 bits.
    #[error("invalid field key")]
    Key,
    /// A field has another wire type than its definition says.
    #[error("wire type does not fit the field")]
    WireType,
    /// A field is longer than what is left.
    #[error("field is cut off")]
    CutOff,
    /// A string field is not UTF-8.
    #[error("string is not valid UTF-8")]
    Utf8,
    /// Messages or groups nest deeper than 100 levels.
    #[error("nested too deeply")]
    Depth,
    /// A group ends that did not begin.
    #[error("unexpected end of group")]
    Group,
}

/// Protobuf wire type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Varint,
    Fixed64,
    Len,
    Start,
    End,
    Fixed32,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varint => "varint",
            Self::Fixed64 => "fixed64",
            Self::Len => "length-delimited",
            Self::Start => "group start",
            Self::End => "group end",
            Self::Fixed32 => "fixed32",
        })
    }
}

/// Walks the fields of one message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    depth: u32,
}

impl<'a> Reader<'a> {
    /// The outermost message.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: MAX_DEPTH }
    }

    /// The key of the next field; `None` at the end of the message.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Option<(u32, Wire)>, Malformed> {
        if self.rest.is_empty() { Ok(None) } else { self.read_key().map(Some) }
    }

    #[inline]
    fn read_key(&mut self) -> Result<(u32, Wire), Malformed> {
        let key = u32::try_from(self.varint()?).map_err(|_too_large| Malformed::Key)?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Len,
            3 => Wire::Start,
            4 => Wire::End,
            5 => Wire::Fixed32,
            _ => return Err(Malformed::Key),
        };
        match key >> 3 {
            0 => Err(Malformed::Key),
            tag => Ok((tag, wire)),
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            Some(_) => self.long_varint(),
            None => Err(Malformed::Varint),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for count in 0..10_u32 {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Varint)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << (count * 7);
            if byte < 0x80 {
                // The tenth byte holds the last bit of 64.
                return if count == 9 && byte > 1 { Err(Malformed::Varint) } else { Ok(value) };
            }
        }
        Err(Malformed::Varint)
    }

    #[inline]
    fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(len).map_err(|_too_large| Malformed::CutOff)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A `bytes` field.
    #[inline]
    pub(crate) fn bytes(&mut self, wire: Wire) -> Result<&'a [u8], Malformed> {
        expect(wire, Wire::Len)?;
        let len = self.varint()?;
        self.take(len)
    }

    /// A `string` field.
    #[inline]
    pub(crate) fn text(&mut self, wire: Wire) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(wire)?).map_err(|_invalid| Malformed::Utf8)
    }

    /// Any integer, enumeration or `bool` field, before it is narrowed to its type.
    #[inline]
    pub(crate) fn integer(&mut self, wire: Wire) -> Result<u64, Malformed> {
        expect(wire, Wire::Varint)?;
        self.varint()
    }

    /// A `double` field.
    pub(crate) fn fixed64(&mut self, wire: Wire) -> Result<(), Malformed> {
        expect(wire, Wire::Fixed64)?;
        self.take(8).map(drop)
    }

    /// A message field, to be read with the returned reader.
    #[inline]
    pub(crate) fn message(&mut self, wire: Wire) -> Result<Self, Malformed> {
        expect(wire, Wire::Len)?;
        self.map_entry()
    }

    /// One entry of a map field. prost does not look at the wire type of map fields; nor does this.
    #[inline]
    pub(crate) fn map_entry(&mut self) -> Result<Self, Malformed> {
        let depth = self.depth.checked_sub(1).ok_or(Malformed::Depth)?;
        let len = self.varint()?;
        Ok(Self { rest: self.take(len)?, depth })
    }

    /// What is left, undecoded.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A field that the message does not define.
    pub(crate) fn skip(&mut self, tag: u32, wire: Wire) -> Result<(), Malformed> {
        self.skip_at(tag, wire, self.depth)
    }

    fn skip_at(&mut self, tag: u32, wire: Wire, depth: u32) -> Result<(), Malformed> {
        let inner_depth = depth.checked_sub(1).ok_or(Malformed::Depth)?;
        match wire {
            Wire::Varint => self.varint().map(drop),
            Wire::Fixed32 => self.take(4).map(drop),
            Wire::Fixed64 => self.take(8).map(drop),
            Wire::Len => {
                let len = self.varint()?;
                self.take(len).map(drop)
            }
            Wire::Start => loop {
                match self.read_key()? {
                    (end, Wire::End) if end == tag => return Ok(()),
                    (_, Wire::End) => return Err(Malformed::Group),
                    (inner, wire @ (Wire::Varint | Wire::Fixed64 | Wire::Len | Wire::Start | Wire::Fixed32)) => {
                        self.skip_at(inner, wire, inner_depth)?;
                    }
                }
            },
            Wire::End => Err(Malformed::Group),
        }
    }
}

#[inline]
fn expect(actual: Wire, expected: Wire) -> Result<(), Malformed> {
    if actual == expected { Ok(()) } else { Err(Malformed::WireType) }
}
