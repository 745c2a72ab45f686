//! A tree into a typed section, with *all* mistakes at once.
//!
//! serde stops at the first mistake. So the mistake is noted, the offending value is left out, and the section
//! is read again, until it can be read. What then goes wrong only *because* something was left out is no mistake
//! of its own and is not reported.

mod deserializer;
mod error;
mod stub;

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;

use crate::path::{Path, Segment};
use crate::suggest;
use crate::tree::{Mark, Node};

use deserializer::Reader;
use error::{Cause, Error};

/// A mistake in the shape of a value.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) path: Path,
    pub(crate) mark: Mark,
    pub(crate) message: String,
}

/// What is left out of a tree while it is read.
#[derive(Debug, Default)]
pub(crate) struct Omitted {
    /// Ids of values.
    pub(crate) nodes: HashSet<usize>,
    /// The last keys of their paths: what other values may refer to by name.
    pub(crate) names: HashSet<String>,
    /// Required keys that are missing, by the id of the map: reading goes on with a stand-in to find the next one.
    stubs: HashMap<usize, Vec<&'static str>>,
    /// What misspelt keys were probably meant to be, by the id of the map.
    meant: HashMap<usize, Vec<&'static str>>,
}

/// More mistakes than this are not looked for.
const MAX_MISTAKES: usize = 500;

/// Reads `root`. `None` when nothing is left that could be read.
pub(crate) fn read<T: DeserializeOwned>(root: &Node, omitted: &mut Omitted, mistakes: &mut Vec<Mistake>) -> Option<T> {
    for _ in 0..MAX_MISTAKES {
        let error = match T::deserialize(Reader { node: root, omitted }) {
            // A value with stand-ins is not what the file says: leave out the maps that needed them.
            Ok(_) if !omitted.stubs.is_empty() => {
                let owners: Vec<usize> = omitted.stubs.drain().map(|(id, _)| id).collect();
                omitted.nodes.extend(owners);
                if omitted.nodes.contains(&root.id) {
                    return None;
                }
                continue;
            }
            Ok(value) => return Some(value),
            Err(error) => error.at(root),
        };
        if !take(root, error, omitted, mistakes) {
            return None;
        }
    }
    None
}

/// Notes one mistake and leaves its value out; false when that is impossible.
fn take(root: &Node, error: Error, omitted: &mut Omitted, mistakes: &mut Vec<Mistake>) -> bool {
    let is_root = error.node() == root.id;
    let owner = error.owner();
    let path = error.path();
    if let Some(Segment::Key(key)) = path.segments().last() {
        omitted.names.insert(key.clone());
    }
    let (mark, node) = (error.mark(), error.node());
    let follows = error.has_omitted_children();
    let message = match error.into_cause() {
        Cause::MissingKey(name) => {
            let explained = omitted.meant.get(&node).is_some_and(|m| m.contains(&name))
                || find(root, node).is_some_and(|n| n.entry(name).is_some());
            if !explained {
                let message = format!("key `{name}` is missing");
                mistakes.push(Mistake { path, mark, message });
            }
            omitted.stubs.entry(node).or_default().push(name);
            return true;
        }
        Cause::UnknownKey { key, known } => {
            let near = suggest::nearest(&key, known.iter().copied());
            if let (Some(near), Some(owner)) = (near.and_then(|n| known.iter().find(|k| **k == n)), owner) {
                omitted.meant.entry(owner).or_default().push(near);
            }
            Some(unknown_key(near, known))
        }
        Cause::UnknownWord { word, known } => Some(unknown_word(&word, known)),
        Cause::Incomplete(message) => (!follows).then_some(message),
        Cause::Other(message) => Some(message),
        Cause::Stub => None,
    };
    if let Some(message) = message {
        mistakes.push(Mistake { path, mark, message });
    }
    !is_root && omitted.nodes.insert(node)
}

fn unknown_key(near: Option<&str>, known: &[&str]) -> String {
    match near {
        Some(near) => format!("unknown key, did you mean `{near}`?"),
        None if known.is_empty() => "unknown key: no key is allowed here".to_owned(),
        None => format!("unknown key, expected {}", one_of(known)),
    }
}

/// The word itself is shown only when it is nearly a known one: it may be a secret in the wrong place.
fn unknown_word(word: &str, known: &[&str]) -> String {
    match suggest::nearest(word, known.iter().copied()) {
        Some(near) => format!("unknown value `{word}`, did you mean `{near}`?"),
        None => format!("unknown value, expected {}", one_of(known)),
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

fn find(node: &Node, id: usize) -> Option<&Node> {
    use crate::tree::Kind;
    if node.id == id {
        return Some(node);
    }
    match &node.kind {
        Kind::Scalar { .. } => None,
        Kind::List(items) => items.iter().find_map(|n| find(n, id)),
        Kind::Map(entries) => entries.iter().find_map(|e| find(&e.value, id)),
    }
}

#[cfg(test)]
mod tests;
