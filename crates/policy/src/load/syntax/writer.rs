//! Copies a source with changes, from its beginning to its end.

/// A source that is being written anew. What is not replaced is copied, with all blanks, comments and line ends.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    source: &'a str,
    copied: usize,
    out: String,
    is_changed: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, copied: 0, out: String::with_capacity(source.len() * 2), is_changed: false }
    }

    /// Copies everything before `to`.
    pub(super) fn copy(&mut self, to: usize) {
        self.out.push_str(self.source.get(self.copied..to).unwrap_or_default());
        self.copied = self.copied.max(to);
    }

    /// Writes `text`, which the source does not have.
    pub(super) fn insert(&mut self, text: &str) {
        self.is_changed = true;
        self.out.push_str(text);
    }

    /// Writes `text` in place of what stands from `from` to `to`.
    pub(super) fn replace(&mut self, from: usize, to: usize, text: &str) {
        self.copy(from);
        self.insert(text);
        self.copied = self.copied.max(to);
    }

    /// The text, when it is another one.
    pub(super) fn finish(mut self) -> Option<String> {
        self.copy(self.source.len());
        self.is_changed.then_some(self.out)
    }
}
