//! Several files, one tree: maps are merged, the lists of the outer two levels (`apis`, `server.listeners`) appended.
//! Whatever else is written in two files is a mistake: which one counts must not depend on the names of files.

use crate::tree::{Entry, Kind, Mark, Node};

/// Levels at which lists are appended. Deeper ones belong to one element (`authn.issuers.x.audiences`), and widening
/// that from another file would go unseen.
const APPEND_LEVELS: usize = 2;

/// A key that two files give different values.
pub(super) struct Twice {
    pub(super) key: String,
    pub(super) mark: Mark,
    pub(super) first: Mark,
}

/// Merges the roots, which are maps.
pub(super) fn merge(roots: Vec<Node>, next_id: &mut usize, twice: &mut Vec<Twice>) -> Node {
    let mut roots = roots.into_iter();
    let Some(mut merged) = roots.next() else {
        *next_id += 1;
        return Node { id: *next_id, mark: Mark { file: 0, line: 1, column: 1 }, kind: Kind::Map(Vec::new()) };
    };
    for root in roots {
        if let (Kind::Map(into), Kind::Map(from)) = (&mut merged.kind, root.kind) {
            merge_maps(into, from, 1, twice);
        }
    }
    merged
}

fn merge_maps(into: &mut Vec<Entry>, from: Vec<Entry>, level: usize, twice: &mut Vec<Twice>) {
    for entry in from {
        let Some(there) = into.iter_mut().find(|e| e.key == entry.key) else {
            into.push(entry);
            continue;
        };
        // A key without a value says nothing.
        if entry.value.is_null() {
            continue;
        }
        if there.value.is_null() {
            *there = entry;
            continue;
        }
        match (&mut there.value.kind, entry.value.kind) {
            (Kind::Map(into), Kind::Map(from)) => merge_maps(into, from, level + 1, twice),
            (Kind::List(into), Kind::List(from)) if level <= APPEND_LEVELS => into.extend(from),
            // Every file of a folder may say which form it has.
            (Kind::Scalar { text: a, .. }, Kind::Scalar { text: b, .. }) if level == 1 && a == &b => {}
            _ => twice.push(Twice { key: entry.key, mark: entry.mark, first: there.mark }),
        }
    }
}
