//! Newer syntax than the engine's parser reads, put in words that it does, before it parses.
//!
//! Works on tokens and keeps every line where it was. A source that uses none of it costs a few searches. What cannot be rewritten
//! for certain is left as it is, so that the engine refuses it.

mod head;
mod imports;
mod joined;
mod keyword;
mod logic;
mod mock;
mod statement;
mod template;
mod token;
mod writer;

pub(crate) use keyword::exposed;

/// True for a source with template strings whose brackets are nested within bounds. Whoever takes their quotes for those of texts
/// cannot count them.
pub(crate) fn is_shallow_template(text: &str) -> bool {
    template::may_hold(text) && token::Tokens::of(text).is_some()
}

/// The source in older words; `None` when it can stay as it is.
pub(crate) fn rewrite(text: &str, v0: bool) -> Option<String> {
    let mut rewritten = None;
    apply(&mut rewritten, text, head::rewrite);
    apply(&mut rewritten, text, template::rewrite);
    apply(&mut rewritten, text, |text| keyword::rewrite(text, v0));
    apply(&mut rewritten, text, mock::rewrite);
    apply(&mut rewritten, text, |text| joined::rewrite(text, v0));
    rewritten
}

/// One step after the others.
fn apply(rewritten: &mut Option<String>, text: &str, step: impl Fn(&str) -> Option<String>) {
    if let Some(text) = step(rewritten.as_deref().unwrap_or(text)) {
        *rewritten = Some(text);
    }
}

#[cfg(test)]
mod tests;
