//! Parser events into a tree, within limits: an attacker may not be able to write the configuration, but a
//! generated file can be as bad as an attacked one.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::tree::{Entry, Kind, Mark, Node};

/// A mistake in the YAML itself.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) mark: Mark,
    pub(crate) message: String,
    /// The rest of the file is unknown.
    pub(crate) fatal: bool,
}

/// How deeply values may be nested.
pub(crate) const MAX_DEPTH: usize = 64;
/// How many values a document may have, those repeated by aliases included.
const MAX_NODES: usize = 500_000;

/// Reads one file. `next_id` runs on over the files of a document.
pub(crate) fn parse(text: &str, file: usize, next_id: &mut usize, faults: &mut Vec<Fault>) -> Option<Node> {
    let mut builder = Builder { file, next_id, faults, stack: Vec::new(), anchors: HashMap::new(), root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                builder.syntax(&error);
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
        }
        if documents > 1 {
            builder.fatal(builder.mark(&span), "a second YAML document starts here: write one document per file");
            return None;
        }
        if !builder.take(event, &span) {
            return None;
        }
    }
    builder.root
}

struct Builder<'a> {
    file: usize,
    next_id: &'a mut usize,
    faults: &'a mut Vec<Fault>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    root: Option<Node>,
}

/// A finished value that aliases may repeat.
struct Anchor {
    node: Node,
    height: usize,
}

/// A list or map that is being filled.
struct Frame {
    mark: Mark,
    anchor: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Mark>, pending: Pending },
}

/// What the next value in a map is.
enum Pending {
    Key,
    Value(String, Mark),
    /// The value of a key that cannot be used.
    Nothing,
}

impl Builder<'_> {
    fn mark(&self, span: &Span) -> Mark {
        Mark { file: self.file, line: span.start.line(), column: span.start.col() + 1 }
    }

    fn syntax(&mut self, error: &ScanError) {
        let at = error.marker();
        let mark = Mark { file: self.file, line: at.line(), column: at.col() + 1 };
        let info = error.info();
        let message = if info.is_empty() { "not valid YAML".to_owned() } else { format!("not valid YAML: {info}") };
        self.fatal(mark, message);
    }

    fn fatal(&mut self, mark: Mark, message: impl Into<String>) {
        self.faults.push(Fault { mark, message: message.into(), fatal: true });
    }

    fn fault(&mut self, mark: Mark, message: impl Into<String>) {
        self.faults.push(Fault { mark, message: message.into(), fatal: false });
    }

    fn id(&mut self) -> usize {
        *self.next_id += 1;
        *self.next_id
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's enum is non-exhaustive; only nodes matter here")]
    /// Takes one event; false when the file cannot be read any further.
    fn take(&mut self, event: Event<'_>, span: &Span) -> bool {
        let mark = self.mark(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.is_text_tag(mark, tag.as_deref());
                let node = Node { id: self.id(), mark, kind: Kind::Scalar { text: text.into_owned(), plain } };
                self.place(node, anchor, 1)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.is_text_tag(mark, tag.as_deref());
                self.open(mark, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.is_text_tag(mark, tag.as_deref());
                let content = Content::Map { entries: Vec::new(), seen: HashMap::new(), pending: Pending::Key };
                self.open(mark, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.repeat(anchor, mark),
            Event::UnresolvedAlias(name) => {
                self.fatal(mark, format!("alias `*{name}` has no anchor before it"));
                false
            }
            // Everything else (starts, ends, comments) is presentation.
            _ => true,
        }
    }

    /// True for `!!str`. Tags that ask for a type of some program are refused.
    fn is_text_tag(&mut self, mark: Mark, tag: Option<&Tag>) -> bool {
        let Some(tag) = tag else { return false };
        if !tag.is_yaml_core_schema() {
            self.fault(mark, format!("tag `{}` means nothing here", tag.original()));
        }
        tag.is_yaml_core_schema_tag("str")
    }

    fn open(&mut self, mark: Mark, anchor: usize, content: Content) -> bool {
        if self.stack.len() >= MAX_DEPTH {
            self.fatal(mark, format!("nested more than {MAX_DEPTH} levels deep"));
            return false;
        }
        self.stack.push(Frame { mark, anchor, height: 0, content });
        true
    }

    fn close(&mut self) -> bool {
        let Some(frame) = self.stack.pop() else { return true };
        let kind = match frame.content {
            Content::List(items) => Kind::List(items),
            Content::Map { entries, .. } => Kind::Map(entries),
        };
        let node = Node { id: self.id(), mark: frame.mark, kind };
        self.place(node, frame.anchor, frame.height + 1)
    }

    fn repeat(&mut self, anchor: usize, mark: Mark) -> bool {
        let Some(found) = self.anchors.get(&anchor) else {
            self.fatal(mark, "an alias repeats the value it stands in");
            return false;
        };
        let (mut node, height) = (found.node.clone(), found.height);
        if self.stack.len() + height > MAX_DEPTH {
            self.fatal(mark, format!("aliases nest values more than {MAX_DEPTH} levels deep"));
            return false;
        }
        if !renumber(&mut node, self.next_id) {
            self.fatal(mark, format!("aliases blow the document up to more than {MAX_NODES} values"));
            return false;
        }
        self.place(node, 0, height)
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node, anchor: usize, height: usize) -> bool {
        if *self.next_id > MAX_NODES {
            self.fatal(node.mark, format!("more than {MAX_NODES} values in one document"));
            return false;
        }
        if anchor != 0 {
            // The copy counts: anchors nested in anchors would otherwise multiply the document.
            *self.next_id += count(&node);
            self.anchors.insert(anchor, Anchor { node: node.clone(), height });
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return true;
        };
        frame.height = frame.height.max(height);
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, pending } => {
                if let Some((mark, message)) = in_map(entries, seen, pending, node) {
                    self.fault(mark, message);
                }
            }
        }
        true
    }
}

/// Takes a key or a value; the answer is what is wrong with it.
fn in_map(
    entries: &mut Vec<Entry>,
    seen: &mut HashMap<String, Mark>,
    pending: &mut Pending,
    node: Node,
) -> Option<(Mark, String)> {
    match std::mem::replace(pending, Pending::Key) {
        Pending::Nothing => None,
        Pending::Value(key, mark) => {
            entries.push(Entry { key, mark, value: node });
            None
        }
        Pending::Key => {
            *pending = Pending::Nothing;
            let mark = node.mark;
            let Kind::Scalar { text: key, .. } = node.kind else {
                return Some((mark, "a key must be a plain word".to_owned()));
            };
            if key == "<<" {
                return Some((
                    mark,
                    "merge keys (`<<`) are not part of YAML 1.2: repeat the value with an alias".into(),
                ));
            }
            if let Some(first) = seen.get(&key) {
                return Some((mark, format!("key `{key}` is written twice, first in line {}", first.line)));
            }
            seen.insert(key.clone(), mark);
            *pending = Pending::Value(key, mark);
            None
        }
    }
}

/// Gives every value of a repeated tree an id of its own; false when the document grows too large.
fn renumber(node: &mut Node, next_id: &mut usize) -> bool {
    *next_id += 1;
    node.id = *next_id;
    if *next_id > MAX_NODES {
        return false;
    }
    match &mut node.kind {
        Kind::Scalar { .. } => true,
        Kind::List(items) => items.iter_mut().all(|n| renumber(n, next_id)),
        Kind::Map(entries) => entries.iter_mut().all(|e| renumber(&mut e.value, next_id)),
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar { .. } => 1,
        Kind::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|e| count(&e.value)).sum::<usize>(),
    }
}
