//! Newer syntax than the engine's parser reads, put in words that it does, before it parses.
//!
//! Works on tokens and keeps every line where it was. A source that uses none of it costs a few searches. What cannot be rewritten
//! for certain is left as it is, so that the engine refuses it.

mod imports;
mod joined;
mod keyword;
mod logic;
mod statement;
mod template;
mod token;
mod writer;

pub(crate) use keyword::exposed;

/// The source in older words; `None` when it can stay as it is.
pub(crate) fn rewrite(text: &str, v0: bool) -> Option<String> {
    let mut rewritten = template::rewrite(text);
    if let Some(text) = keyword::rewrite(rewritten.as_deref().unwrap_or(text), v0) {
        rewritten = Some(text);
    }
    if let Some(text) = joined::rewrite(rewritten.as_deref().unwrap_or(text), v0) {
        rewritten = Some(text);
    }
    rewritten
}

#[cfg(test)]
mod tests;
