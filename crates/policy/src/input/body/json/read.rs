//! JSON as Go's `encoding/json` and OPA's `util.UnmarshalJSON` read it, with their messages.
//!
//! Bytes that are no UTF-8 and lone surrogates become U+FFFD. Whatever is open is kept in a list, so nesting costs no stack here.

use std::collections::BTreeMap;

use regorus::Value;

use super::{number, string};
use crate::input::text;

/// The deepest nesting. Go allows 10000 levels, but values so deep are not handled without recursion here.
pub(super) const MAX_DEPTH: usize = 500;

/// A whole body: one document and white space.
///
/// # Errors
/// It is none, in Go's words.
pub(super) fn document(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { rest: bytes };
    reader.skip_space();
    if reader.rest.is_empty() {
        return Err("EOF".to_owned());
    }
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// What stands before the place that is read.
enum Open {
    Array(Vec<Value>),
    Object(BTreeMap<Value, Value>, Value),
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Value, String> {
        let mut open = Vec::new();
        loop {
            let Some(mut value) = self.begin(&mut open)? else { continue };
            loop {
                value = match open.pop() {
                    None => return Ok(value),
                    Some(Open::Array(mut items)) => {
                        items.push(value);
                        match self.next()? {
                            b',' => {
                                open.push(Open::Array(items));
                                break;
                            }
                            b']' => Value::from(items),
                            other => return Err(invalid(other, "after array element")),
                        }
                    }
                    Some(Open::Object(mut fields, key)) => {
                        fields.insert(key, value);
                        match self.next()? {
                            b',' => {
                                let key = self.key()?;
                                open.push(Open::Object(fields, key));
                                break;
                            }
                            b'}' => Value::from(fields),
                            other => return Err(invalid(other, "after object key:value pair")),
                        }
                    }
                };
            }
        }
    }

    /// Reads up to the end of a simple or empty value, or into one that is not: then there is `None`.
    fn begin(&mut self, open: &mut Vec<Open>) -> Result<Option<Value>, String> {
        self.skip_space();
        let first = self.peek()?;
        if matches!(first, b'[' | b'{') && open.len() >= MAX_DEPTH {
            return Err(invalid(first, "exceeded max depth"));
        }
        match first {
            b'[' => {
                self.next()?;
                self.skip_space();
                if self.peek()? == b']' {
                    self.next()?;
                    return Ok(Some(Value::new_array()));
                }
                open.push(Open::Array(Vec::new()));
                Ok(None)
            }
            b'{' => {
                self.next()?;
                self.skip_space();
                if self.peek()? == b'}' {
                    self.next()?;
                    return Ok(Some(Value::new_object()));
                }
                let key = self.key()?;
                open.push(Open::Object(BTreeMap::new(), key));
                Ok(None)
            }
            b'"' => string::read(&mut self.rest).map(|text| Some(Value::from(text))),
            b'-' | b'0'..=b'9' => number::read(&mut self.rest).and_then(number::value).map(Some),
            b't' => self.word("true").map(|()| Some(Value::Bool(true))),
            b'f' => self.word("false").map(|()| Some(Value::Bool(false))),
            b'n' => self.word("null").map(|()| Some(Value::Null)),
            other => Err(invalid(other, "looking for beginning of value")),
        }
    }

    /// A key with its colon.
    fn key(&mut self) -> Result<Value, String> {
        self.skip_space();
        match self.peek()? {
            b'"' => {}
            other => return Err(invalid(other, "looking for beginning of object key string")),
        }
        let key = string::read(&mut self.rest)?;
        match self.next()? {
            b':' => Ok(Value::from(key)),
            other => Err(invalid(other, "after object key")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            match self.take()? {
                byte if byte == expected => {}
                other => {
                    let expected = char::from(expected);
                    return Err(invalid(other, &format!("in literal {word} (expecting '{expected}')")));
                }
            }
        }
        Ok(())
    }

    /// Behind a document OPA looks for one more token, and names it as Go's `%s` prints it. A `null` goes unseen.
    fn end(&mut self) -> Result<(), String> {
        self.skip_space();
        let shown = match self.rest.first() {
            None => return Ok(()),
            Some(byte @ (b'[' | b'{')) => char::from(*byte).to_string(),
            Some(b'"') => string::read(&mut self.rest)?,
            Some(b'-' | b'0'..=b'9') => text::from_bytes(number::read(&mut self.rest)?),
            Some(_) => match self.value()?.as_bool() {
                Ok(value) => format!("%!s(bool={value})"),
                Err(_null) => return Ok(()),
            },
        };
        Err(format!("error: invalid character '{shown}' after top-level value"))
    }

    fn skip_space(&mut self) {
        while let Some((b' ' | b'\t' | b'\r' | b'\n', after)) = self.rest.split_first() {
            self.rest = after;
        }
    }

    fn peek(&self) -> Result<u8, String> {
        self.rest.first().copied().ok_or_else(cut)
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Result<u8, String> {
        self.skip_space();
        self.take()
    }

    fn take(&mut self) -> Result<u8, String> {
        take(&mut self.rest)
    }
}

/// The next byte.
pub(super) fn take(rest: &mut &[u8]) -> Result<u8, String> {
    let (first, after) = rest.split_first().ok_or_else(cut)?;
    *rest = after;
    Ok(*first)
}

/// Go's message for a byte at the wrong place.
pub(super) fn invalid(byte: u8, place: &str) -> String {
    format!("invalid character {} {place}", text::quote_byte(byte))
}

/// Go's message for a document that ends too early.
pub(super) fn cut() -> String {
    "unexpected EOF".to_owned()
}
