//! `--set` and `--set-file`, and environment variables in the file.

use serde_json::{Map, Value};

/// One `--set key=value[,key=value…]`, or one `--set-file key=file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// Values on the command line.
    Set(String),
    /// A value in a file.
    SetFile(String),
}

/// Why an overlay cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// There is no `=`.
    #[error("`{0}`: write key=value, such as plugins.envoy_ext_authz_grpc.addr=:9191")]
    NoValue(String),
    /// A key has an empty part, or an index that is none.
    #[error("`{0}` is no key: write names with dots between them, and list[0] for items of a list")]
    Key(String),
    /// A list would get too long.
    #[error("`{0}`: an index may be at most 1000")]
    Index(String),
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(String, String),
}

const MAX_INDEX: usize = 1_000;

impl Overlay {
    /// Puts the values into the document.
    ///
    /// # Errors
    /// [`OverlayError`]
    pub fn apply(&self, document: &mut Value) -> Result<(), OverlayError> {
        match self {
            Self::Set(text) => {
                for pair in split(text, ',') {
                    let (key, value) = pair.split_once('=').ok_or_else(|| OverlayError::NoValue(pair.clone()))?;
                    put(document, key, typed(value))?;
                }
                Ok(())
            }
            Self::SetFile(text) => {
                let (key, file) = text.split_once('=').ok_or_else(|| OverlayError::NoValue(text.clone()))?;
                let value = std::fs::read_to_string(file)
                    .map_err(|error| OverlayError::File(file.to_owned(), error.to_string()))?;
                put(document, key, Value::from(value.trim_end_matches(['\r', '\n'])))
            }
        }
    }
}

/// Splits outside of braces; a backslash takes the meaning of the next character away.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut depth, mut escaped) = (vec![String::new()], 0_usize, false);
    for c in text.chars() {
        let Some(last) = parts.last_mut() else { break };
        match c {
            _ if escaped => {
                escaped = false;
                if c != at && c != '\\' {
                    last.push('\\');
                }
                last.push(c);
            }
            '\\' => escaped = true,
            '{' => {
                depth += 1;
                last.push(c);
            }
            '}' => {
                depth = depth.saturating_sub(1);
                last.push(c);
            }
            c if c == at && depth == 0 => parts.push(String::new()),
            c => last.push(c),
        }
    }
    parts
}

/// `true`, `false`, `null`, whole numbers without leading zeros and `{lists,of,them}`; everything else is text.
fn typed(text: &str) -> Value {
    if let Some(list) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        if list.is_empty() {
            return Value::Array(Vec::new());
        }
        return Value::Array(split(list, ',').iter().map(|item| typed(item)).collect());
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        "0" => Value::from(0),
        _ if !text.starts_with('0') => text.parse::<i64>().map_or_else(|_not_one| Value::from(text), Value::from),
        _ => Value::from(text),
    }
}

/// One step of a key.
enum Step<'k> {
    Name(String),
    Index(&'k str),
}

fn put(document: &mut Value, key: &str, value: Value) -> Result<(), OverlayError> {
    let wrong = || OverlayError::Key(key.to_owned());
    let parts = split(key, '.');
    let mut steps = Vec::new();
    for part in &parts {
        let (name, indexes) = part.split_once('[').map_or((part.as_str(), None), |(name, rest)| (name, Some(rest)));
        if name.is_empty() {
            return Err(wrong());
        }
        steps.push(Step::Name(name.to_owned()));
        if let Some(indexes) = indexes {
            let indexes = indexes.strip_suffix(']').ok_or_else(wrong)?;
            steps.extend(indexes.split("][").map(Step::Index));
        }
    }
    let mut at = document;
    for step in &steps {
        at = match step {
            Step::Name(name) => {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut().ok_or_else(wrong)?.entry(name.clone()).or_insert(Value::Null)
            }
            Step::Index(index) => {
                let index: usize = index.parse().map_err(|_no_number| wrong())?;
                if index > MAX_INDEX {
                    return Err(OverlayError::Index(key.to_owned()));
                }
                if !at.is_array() {
                    *at = Value::Array(Vec::new());
                }
                let list = at.as_array_mut().ok_or_else(wrong)?;
                if list.len() <= index {
                    list.resize(index + 1, Value::Null);
                }
                list.get_mut(index).ok_or_else(wrong)?
            }
        };
    }
    *at = value;
    Ok(())
}

/// `${NAME}` becomes what `lookup` says, nothing when it does not know it. A `$` without braces stays.
pub(super) fn with_environment(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, tail)) if !name.contains(['\n', ' ']) => {
                out.push_str(&lookup(name).unwrap_or_default());
                rest = tail;
            }
            _ => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
