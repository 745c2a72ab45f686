//! Errors that know the value they are about, and never quote text that may be a secret.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::path::{Path, Segment};
use crate::tree::{Mark, Node};

/// What is wrong.
#[derive(Debug)]
pub(super) enum Cause {
    MissingKey(&'static str),
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    UnknownWord {
        word: String,
        known: &'static [&'static str],
    },
    /// Too few elements, or no variant: may follow from what was left out.
    Incomplete(String),
    Other(String),
    /// A stand-in for a missing key could not be read either.
    Stub,
}

/// A mistake on its way up.
#[derive(Debug)]
pub(super) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    cause: Cause,
    at: Option<At>,
    /// From the inside out.
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy)]
struct At {
    node: usize,
    owner: Option<usize>,
    mark: Mark,
    omitted_children: bool,
}

impl Error {
    pub(super) fn new(cause: Cause) -> Self {
        Self(Box::new(Inner { cause, at: None, segments: Vec::new() }))
    }

    /// Says which value it is about, unless a deeper one is known.
    pub(super) fn at(mut self, node: &Node) -> Self {
        let at = At { node: node.id, owner: None, mark: node.mark, omitted_children: false };
        self.0.at.get_or_insert(at);
        self
    }

    /// The same for a value of which parts were left out.
    pub(super) fn at_partial(mut self, node: &Node) -> Self {
        let at = At { node: node.id, owner: None, mark: node.mark, omitted_children: true };
        self.0.at.get_or_insert(at);
        self
    }

    /// It is about a key: the value under it has to be left out.
    pub(super) fn at_key(mut self, owner: &Node, mark: Mark, value: &Node) -> Self {
        let at = At { node: value.id, owner: Some(owner.id), mark, omitted_children: false };
        self.0.at.get_or_insert(at);
        self
    }

    pub(super) fn inside(mut self, segment: Segment) -> Self {
        self.0.segments.push(segment);
        self
    }

    pub(super) fn node(&self) -> usize {
        self.0.at.map_or(0, |at| at.node)
    }

    pub(super) fn owner(&self) -> Option<usize> {
        self.0.at.and_then(|at| at.owner)
    }

    pub(super) fn mark(&self) -> Mark {
        self.0.at.map_or_else(Mark::default, |at| at.mark)
    }

    pub(super) fn has_omitted_children(&self) -> bool {
        self.0.at.is_some_and(|at| at.omitted_children)
    }

    pub(super) fn path(&self) -> Path {
        Path::from_segments(self.0.segments.iter().rev().cloned().collect())
    }

    pub(super) fn into_cause(self) -> Cause {
        self.0.cause
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            Cause::MissingKey(name) => write!(f, "key `{name}` is missing"),
            Cause::UnknownKey { .. } => f.write_str("unknown key"),
            Cause::UnknownWord { .. } => f.write_str("unknown value"),
            Cause::Incomplete(message) | Cause::Other(message) => f.write_str(message),
            Cause::Stub => f.write_str("missing"),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Cause::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {}, found {}", wanted(expected), kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {}, found {}", wanted(expected), kind(found)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(Cause::Incomplete(format!("expected {}, found {length} elements", wanted(expected))))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Cause::UnknownWord { word: variant.to_owned(), known: expected })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Cause::UnknownKey { key: field.to_owned(), known: expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Cause::MissingKey(field))
    }
}

/// serde's words for types, in the words of YAML.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" | "usize" => "a whole number, not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a string" | "path string" | "a borrowed string" => "text".to_owned(),
        other if other.starts_with("a nonzero") => "a whole number of 1 or more".to_owned(),
        other if other.starts_with("struct ") => "a map".to_owned(),
        _ => text,
    }
}

/// What was found, without quoting it: text may be a secret in the wrong place.
fn kind(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(_) | Unexpected::Char(_) | Unexpected::Bytes(_) => "text".to_owned(),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant
        | Unexpected::Other(_) => found.to_string(),
    }
}
