//! Changes of a source, made from its end to its start so that places stay where they are.

/// A part of the source and what stands for it.
pub(super) struct Edit {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) with: String,
}

/// The changed source; `None` when nothing changes, or a place is none. Of two edits at one place the first counts.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.from));
    edits.dedup_by_key(|edit| edit.from);
    let mut changed = text.to_owned();
    for edit in &edits {
        text.get(edit.from..edit.to)?;
        changed.replace_range(edit.from..edit.to, &edit.with);
    }
    (!edits.is_empty()).then_some(changed)
}
