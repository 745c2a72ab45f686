//! Path patterns: `/exact`, `/a/{name}`, `/a/**`.

use std::collections::HashSet;

use crate::path::normalise_path;

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// This text.
    Literal(String),
    /// One segment that is not empty.
    Capture(String),
}

/// A path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) segments: Vec<Segment>,
    /// Ends in `**`: everything below, and the place itself.
    pub(crate) rest: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(body) = text.strip_prefix('/') else {
            return Err(format!("the path `{text}` must begin with `/`"));
        };
        let mut segments = Vec::new();
        let mut names = HashSet::new();
        let mut rest = false;
        let parts: Vec<&str> = body.split('/').collect();
        for (i, part) in parts.iter().enumerate() {
            let last = i + 1 == parts.len();
            match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                _ if *part == "**" && last => rest = true,
                _ if *part == "**" => return Err("`**` may only be the last segment".to_owned()),
                Some(name) if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                    return Err(format!("`{part}` is no capture: write `{{name}}` with letters, digits and `_`"));
                }
                Some(name) if !names.insert(name.to_owned()) => return Err(format!("`{{{name}}}` stands twice")),
                Some(name) => segments.push(Segment::Capture(name.to_owned())),
                None if part.contains(['{', '}', '*', '?', '#']) => {
                    return Err(format!(
                        "`{part}` mixes text and pattern: a segment is text, `{{name}}`, or `**` at the end"
                    ));
                }
                None => segments.push(Segment::Literal((*part).to_owned())),
            }
        }
        check_literals(&segments)?;
        Ok(Self { segments, rest })
    }

    /// Names of the captures, in order.
    pub(crate) fn captures(&self) -> Vec<String> {
        let names = self.segments.iter().filter_map(|s| match s {
            Segment::Literal(_) => None,
            Segment::Capture(name) => Some(name.clone()),
        });
        names.collect()
    }
}

/// Requests are matched in normal form, so a literal that is not would never match.
fn check_literals(segments: &[Segment]) -> Result<(), String> {
    let count = segments.len();
    for (i, segment) in segments.iter().enumerate() {
        let Segment::Literal(text) = segment else { continue };
        if text.is_empty() && i + 1 == count {
            continue;
        }
        let path = format!("/{text}");
        match normalise_path(&path) {
            Ok(normal) if !normal.changed() && !text.is_empty() => {}
            Ok(normal) if !text.is_empty() => {
                return Err(format!(
                    "`{text}` can never match: paths are matched in normal form, here `{}`",
                    normal.path
                ));
            }
            Ok(_) => return Err("an empty segment can never match".to_owned()),
            Err(fault) => return Err(format!("`{text}` can never match: {fault}")),
        }
    }
    Ok(())
}
