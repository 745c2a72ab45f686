//! From the path of a problem to the place in the file.

use crate::path::{Path, Segment};
use crate::read::Omitted;
use crate::tree::{Kind, Mark, Node};

/// Where a problem is.
pub(super) struct Place {
    /// The path as the file counts: elements that were left out are counted again.
    pub(super) path: Path,
    pub(super) mark: Mark,
    near_omitted: bool,
}

impl Place {
    /// True when the problem is there only because something else was left out: parts of the value itself, or a thing
    /// it names.
    pub(super) fn is_follow_up(&self, omitted: &Omitted, message: &str) -> bool {
        self.near_omitted || omitted.names.iter().any(|name| message.contains(&format!("`{name}`")))
    }
}

/// Finds `path`, or the nearest value around it when it is a default that is not written anywhere.
pub(super) fn locate(root: &Node, omitted: &Omitted, path: &Path) -> Place {
    let mut node = root;
    let mut mark = root.mark;
    let mut segments = path.segments().to_vec();
    let mut near_omitted = false;
    for segment in &mut segments {
        let next = match (&node.kind, &*segment) {
            (Kind::Map(_), Segment::Key(key)) => node.entry(key).map(|e| (&e.value, e.mark)),
            (Kind::List(items), Segment::Index(index)) => {
                let mut left = items.iter().enumerate().filter(|(_, n)| !omitted.nodes.contains(&n.id));
                left.nth(*index).map(|(original, item)| {
                    *segment = Segment::Index(original);
                    (item, item.mark)
                })
            }
            _ => None,
        };
        let Some((found, at)) = next else { break };
        node = found;
        // The key is where people look; the value of `a:` may begin on the next line.
        mark = at;
        if omitted.nodes.contains(&node.id) {
            near_omitted = true;
            break;
        }
    }
    near_omitted |= node.id != root.id && holds_omitted(node, omitted);
    Place { path: Path::from_segments(segments), mark, near_omitted }
}

fn holds_omitted(node: &Node, omitted: &Omitted) -> bool {
    node.children().iter().any(|id| omitted.nodes.contains(id))
}
