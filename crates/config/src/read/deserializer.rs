//! serde over the tree.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Omitted;
use super::error::{Cause, Error};
use super::stub::Stub;
use crate::path::Segment;
use crate::tree::{Entry, Kind, Node, Scalar, resolve};

/// Reads one value.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    pub(super) omitted: &'a Omitted,
}

impl<'a> Reader<'a> {
    fn with(self, node: &'a Node) -> Self {
        Self { node, omitted: self.omitted }
    }

    fn is_left_out(self, node: &Node) -> bool {
        self.omitted.nodes.contains(&node.id)
    }

    fn located(self, error: Error) -> Error {
        let partial = self.node.children().iter().any(|id| self.omitted.nodes.contains(id));
        if partial { error.at_partial(self.node) } else { error.at(self.node) }
    }

    fn map<'de, V: Visitor<'de>>(self, entries: &'a [Entry], visitor: V) -> Result<V::Value, Error> {
        let stubs = self.omitted.stubs.get(&self.node.id).map_or(&[][..], Vec::as_slice);
        visitor.visit_map(Fields { reader: self, entries: entries.iter(), stubs: stubs.iter(), value: Next::None })
    }

    fn list<'de, V: Visitor<'de>>(self, items: &'a [Node], visitor: V) -> Result<V::Value, Error> {
        let mut elements = Elements { reader: self, items: items.iter().enumerate() };
        let value = visitor.visit_seq(&mut elements)?;
        if elements.items.any(|(_, n)| !self.is_left_out(n)) {
            return Err(Error::custom(format_args!("too many elements: {}", items.len())));
        }
        Ok(value)
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::List(items) => self.list(items, visitor),
            Kind::Map(entries) => self.map(entries, visitor),
            Kind::Scalar { text, plain } => match resolve(text, *plain) {
                Scalar::Null => visitor.visit_unit(),
                Scalar::Bool(value) => visitor.visit_bool(value),
                Scalar::Unsigned(value) => visitor.visit_u64(value),
                Scalar::Signed(value) => visitor.visit_i64(value),
                Scalar::Float(value) => visitor.visit_f64(value),
                Scalar::Text(value) => visitor.visit_str(value),
            },
        }
    }

    /// A key without a value stands for an empty map, so that a section may be left with comments only.
    fn any_map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Map(entries) => self.map(entries, visitor),
            Kind::List(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            Kind::Scalar { .. } if self.node.is_null() => self.map(&[], visitor),
            Kind::Scalar { .. } => self.any(visitor),
        }
    }

    fn variant<'de, V: Visitor<'de>>(self, known: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let wrong = || Error::new(Cause::Incomplete(shape_of_choice(known)));
        match &self.node.kind {
            Kind::Scalar { text, .. } if !self.node.is_null() => {
                visitor.visit_enum(Choice { reader: self, word: text, entry: None })
            }
            Kind::Map(entries) => {
                let mut left = entries.iter().filter(|e| !self.is_left_out(&e.value));
                match (left.next(), left.next()) {
                    (Some(entry), None) => {
                        visitor.visit_enum(Choice { reader: self, word: &entry.key, entry: Some(entry) })
                    }
                    _ => Err(wrong()),
                }
            }
            Kind::Scalar { .. } | Kind::List(_) => Err(wrong()),
        }
    }
}

fn shape_of_choice(known: &[&str]) -> String {
    format!("expected exactly {}", super::one_of(known))
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.any(visitor).map_err(|e| self.located(e))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            // `version: 2` is the text "2" where text is wanted.
            Kind::Scalar { text, .. } if !self.node.is_null() => visitor.visit_str(text),
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => self.any(visitor),
        }
        .map_err(|e| self.located(e))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }.map_err(|e| self.located(e))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|e| self.located(e))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.any_map(visitor).map_err(|e| self.located(e))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.variant(known, visitor).map_err(|e| self.located(e))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        seq tuple tuple_struct
    }
}

struct Elements<'a> {
    reader: Reader<'a>,
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let reader = self.reader;
        let Some((index, node)) = self.items.find(|(_, n)| !reader.is_left_out(n)) else { return Ok(None) };
        let reader = reader.with(node);
        let value = seed.deserialize(reader).map_err(|e| reader.located(e).inside(Segment::Index(index)))?;
        Ok(Some(value))
    }
}

struct Fields<'a> {
    reader: Reader<'a>,
    entries: std::slice::Iter<'a, Entry>,
    stubs: std::slice::Iter<'a, &'static str>,
    value: Next<'a>,
}

#[derive(Clone, Copy)]
enum Next<'a> {
    None,
    Stub,
    Entry(&'a Entry),
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let reader = self.reader;
        if let Some(entry) = self.entries.find(|e| !reader.is_left_out(&e.value)) {
            self.value = Next::Entry(entry);
            let key: StrDeserializer<'_, Error> = entry.key.as_str().into_deserializer();
            let at = |e: Error| e.at_key(reader.node, entry.mark, &entry.value).inside(key_segment(entry));
            return seed.deserialize(key).map(Some).map_err(at);
        }
        let Some(name) = self.stubs.next() else { return Ok(None) };
        self.value = Next::Stub;
        let key: StrDeserializer<'_, Error> = (*name).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match std::mem::replace(&mut self.value, Next::None) {
            Next::None => Err(Error::custom("a value was asked for before its key")),
            Next::Stub => seed.deserialize(Stub).map_err(|_no_empty_form| Error::new(Cause::Stub)),
            Next::Entry(entry) => {
                let reader = self.reader.with(&entry.value);
                seed.deserialize(reader).map_err(|e| reader.located(e).inside(key_segment(entry)))
            }
        }
    }
}

fn key_segment(entry: &Entry) -> Segment {
    Segment::Key(entry.key.clone())
}

/// One of several: a word, or a map with one key.
struct Choice<'a> {
    reader: Reader<'a>,
    word: &'a str,
    entry: Option<&'a Entry>,
}

impl<'a, 'de> EnumAccess<'de> for Choice<'a> {
    type Error = Error;
    type Variant = Payload<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Payload<'a>), Error> {
        let word: StrDeserializer<'_, Error> = self.word.into_deserializer();
        let at = |e: Error| match self.entry {
            Some(entry) => e.at_key(self.reader.node, entry.mark, &entry.value).inside(key_segment(entry)),
            None => e,
        };
        let value = seed.deserialize(word).map_err(at)?;
        Ok((value, Payload { reader: self.reader, word: self.word, entry: self.entry }))
    }
}

struct Payload<'a> {
    reader: Reader<'a>,
    word: &'a str,
    entry: Option<&'a Entry>,
}

impl<'a> Payload<'a> {
    fn read<T>(self, read: impl FnOnce(Reader<'a>) -> Result<T, Error>) -> Result<T, Error> {
        let Some(entry) = self.entry else {
            return Err(Error::custom(format_args!("`{0}` needs a value: write `{{ {0}: … }}`", self.word)));
        };
        let reader = self.reader.with(&entry.value);
        read(reader).map_err(|e| reader.located(e).inside(key_segment(entry)))
    }
}

impl<'de> VariantAccess<'de> for Payload<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.entry {
            None => Ok(()),
            Some(entry) if entry.value.is_null() || matches!(&entry.value.kind, Kind::Map(m) if m.is_empty()) => Ok(()),
            Some(entry) => {
                let error = Error::custom(format_args!("`{}` takes no value", self.word));
                Err(error.at(&entry.value).inside(key_segment(entry)))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.read(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.read(|reader| reader.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.read(|reader| reader.deserialize_struct("", fields, visitor))
    }
}
