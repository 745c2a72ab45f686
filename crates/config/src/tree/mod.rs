//! YAML as a tree in which every value knows where it was written.

mod parse;
mod scalar;

pub(crate) use parse::{Fault, parse};
pub(crate) use scalar::{Scalar, resolve};

/// A place in one of the files of a document. Line and column count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Mark {
    /// Index into the document's files.
    pub(crate) file: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value. `id` is unique in its document and names the value while mistakes are collected.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: usize,
    pub(crate) mark: Mark,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// `plain` means written without quotes, so that `5` may be a number.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value. Keys are unique in their map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    pub(crate) value: Node,
}

impl Node {
    /// True for a key without a value (`telemetry:`), `~` and `null`.
    pub(crate) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar { text, plain } => matches!(resolve(text, *plain), Scalar::Null),
            Kind::List(_) | Kind::Map(_) => false,
        }
    }

    /// The entry of a map by its key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|e| e.key == key),
            Kind::Scalar { .. } | Kind::List(_) => None,
        }
    }

    /// The ids of the values right below this one.
    pub(crate) fn children(&self) -> Vec<usize> {
        match &self.kind {
            Kind::Scalar { .. } => Vec::new(),
            Kind::List(items) => items.iter().map(|n| n.id).collect(),
            Kind::Map(entries) => entries.iter().map(|e| e.value.id).collect(),
        }
    }
}
