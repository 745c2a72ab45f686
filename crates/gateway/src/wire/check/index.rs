//! One pass over the bytes; everything in the index borrows from them.

use std::cell::OnceCell;
use std::collections::HashMap;

use model::{Header, HttpFields, Peer, RequestView};
use serde_json::Value;
use smallvec::SmallVec;

use super::attributes;
use crate::wire::reader::{Malformed, Reader};
use crate::wire::schema::{INTERNAL_ADDRESS, METADATA, PIPE, TEXT_ENTRY, TLS_SESSION, validate};

/// Room for what cannot be borrowed from the message: header names that arrive in upper case.
#[derive(Debug, Default)]
pub struct Scratch {
    lowered: OnceCell<String>,
}

/// What the pipeline may ask of a `CheckRequest`, without decoding it.
///
/// Says the same as a prost decode of the same bytes: repeated scalars, the last wins; repeated messages merge; a map
/// key that is repeated keeps its last value; unknown fields are skipped.
#[derive(Debug)]
pub struct CheckIndex<'a> {
    http: HttpFields<'a>,
    headers: Vec<Header<'a>>,
    source: Peer<'a>,
    destination: Peer<'a>,
    /// Every occurrence of `CheckRequest.attributes`.
    parts: SmallVec<[&'a [u8]; 1]>,
    plain_headers: bool,
}

impl<'a> CheckIndex<'a> {
    /// Indexes the bytes of a `CheckRequest`.
    ///
    /// # Errors
    /// [`Malformed`] exactly when prost would not decode them.
    pub fn parse(bytes: &'a [u8], scratch: &'a Scratch) -> Result<Self, Malformed> {
        let mut builder = Builder { map: Vec::with_capacity(32), ..Builder::default() };
        builder.request(Reader::new(bytes))?;
        Ok(builder.finish(scratch))
    }
}

impl RequestView for CheckIndex<'_> {
    fn http(&self) -> &HttpFields<'_> {
        &self.http
    }

    fn has_plain_headers(&self) -> bool {
        self.plain_headers
    }

    fn headers(&self) -> &[Header<'_>] {
        &self.headers
    }

    fn source(&self) -> &Peer<'_> {
        &self.source
    }

    fn destination(&self) -> &Peer<'_> {
        &self.destination
    }

    fn attribute(&self, path: &[&str]) -> Option<Value> {
        attributes::find(&self.parts, path)
    }
}

#[derive(Default)]
struct Builder<'a> {
    http: HttpFields<'a>,
    text_body: &'a str,
    raw_body: &'a [u8],
    map: Vec<Header<'a>>,
    list: Vec<Header<'a>>,
    source: Peer<'a>,
    destination: Peer<'a>,
    parts: SmallVec<[&'a [u8]; 1]>,
}

impl<'a> Builder<'a> {
    fn request(&mut self, mut message: Reader<'a>) -> Result<(), Malformed> {
        while let Some((tag, wire)) = message.key()? {
            match tag {
                1 => {
                    let attributes = message.message(wire)?;
                    self.parts.push(attributes.rest());
                    self.attributes(attributes)?;
                }
                _ => message.skip(tag, wire)?,
            }
        }
        Ok(())
    }

    fn attributes(&mut self, mut message: Reader<'a>) -> Result<(), Malformed> {
        while let Some((tag, wire)) = message.key()? {
            match tag {
                1 => peer(&mut self.source, message.message(wire)?)?,
                2 => peer(&mut self.destination, message.message(wire)?)?,
                4 => self.http_request(message.message(wire)?)?,
                10 => validate(&TEXT_ENTRY, message.map_entry()?)?,
                11 | 13 => validate(&METADATA, message.message(wire)?)?,
                12 => validate(&TLS_SESSION, message.message(wire)?)?,
                _ => message.skip(tag, wire)?,
            }
        }
        Ok(())
    }

    fn http_request(&mut self, mut message: Reader<'a>) -> Result<(), Malformed> {
        while let Some((tag, wire)) = message.key()? {
            match tag {
                1 => timestamp(&mut self.http.time, message.message(wire)?)?,
                2 => self.http(message.message(wire)?)?,
                _ => message.skip(tag, wire)?,
            }
        }
        Ok(())
    }

    fn http(&mut self, mut message: Reader<'a>) -> Result<(), Malformed> {
        while let Some((tag, wire)) = message.key()? {
            match tag {
                1 => self.http.id = message.text(wire)?,
                2 => self.http.method = message.text(wire)?,
                3 => self.map.push(map_header(message.map_entry()?)?),
                4 => self.http.path = message.text(wire)?,
                5 => self.http.host = message.text(wire)?,
                6 => self.http.scheme = message.text(wire)?,
                7 => self.http.query = message.text(wire)?,
                8 => self.http.fragment = message.text(wire)?,
                9 => self.http.size = message.integer(wire)?.cast_signed(),
                10 => self.http.protocol = message.text(wire)?,
                11 => self.text_body = message.text(wire)?,
                12 => self.raw_body = message.bytes(wire)?,
                13 => self.header_map(message.message(wire)?)?,
                _ => message.skip(tag, wire)?,
            }
        }
        Ok(())
    }

    fn header_map(&mut self, mut message: Reader<'a>) -> Result<(), Malformed> {
        while let Some((tag, wire)) = message.key()? {
            match tag {
                1 => self.list.push(list_header(message.message(wire)?)?),
                _ => message.skip(tag, wire)?,
            }
        }
        Ok(())
    }

    fn finish(self, scratch: &'a Scratch) -> CheckIndex<'a> {
        let mut headers = self.map;
        keep_last(&mut headers);
        let came_as_map = self.list.is_empty();
        headers.extend(self.list);
        let plain_headers = lower_names(&mut headers, scratch) && came_as_map;
        let body_is_raw = !self.raw_body.is_empty();
        let body = if body_is_raw { self.raw_body } else { self.text_body.as_bytes() };
        let text_body = if body_is_raw { self.text_body } else { "" };
        CheckIndex {
            http: HttpFields { body, body_is_raw, text_body, ..self.http },
            headers,
            source: self.source,
            destination: self.destination,
            parts: self.parts,
            plain_headers,
        }
    }
}

/// An entry of `map<string, string> headers`.
fn map_header<'a>(mut entry: Reader<'a>) -> Result<Header<'a>, Malformed> {
    let (mut name, mut value) = ("", "");
    while let Some((tag, wire)) = entry.key()? {
        match tag {
            1 => name = entry.text(wire)?,
            2 => value = entry.text(wire)?,
            _ => entry.skip(tag, wire)?,
        }
    }
    Ok(Header { name, value: value.as_bytes() })
}

/// A `HeaderValue` of `header_map`; Envoy fills `raw_value` there (filter option `encode_raw_headers`).
fn list_header<'a>(mut header: Reader<'a>) -> Result<Header<'a>, Malformed> {
    let (mut name, mut value, mut raw) = ("", "", &b""[..]);
    while let Some((tag, wire)) = header.key()? {
        match tag {
            1 => name = header.text(wire)?,
            2 => value = header.text(wire)?,
            3 => raw = header.bytes(wire)?,
            _ => header.skip(tag, wire)?,
        }
    }
    Ok(Header { name, value: if raw.is_empty() { value.as_bytes() } else { raw } })
}

/// `AttributeContext.Peer`.
fn peer<'a>(peer: &mut Peer<'a>, mut message: Reader<'a>) -> Result<(), Malformed> {
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 => address(peer, message.message(wire)?)?,
            2 => message.text(wire).map(drop)?,
            3 => validate(&TEXT_ENTRY, message.map_entry()?)?,
            4 => peer.principal = message.text(wire)?,
            5 => peer.certificate = message.text(wire)?,
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(())
}

/// `envoy.config.core.v3.Address`, a oneof: another kind of address replaces the socket address.
fn address<'a>(peer: &mut Peer<'a>, mut message: Reader<'a>) -> Result<(), Malformed> {
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 => socket_address(peer, message.message(wire)?)?,
            2 => {
                validate(&PIPE, message.message(wire)?)?;
                (peer.address, peer.port) = ("", 0);
            }
            3 => {
                validate(&INTERNAL_ADDRESS, message.message(wire)?)?;
                (peer.address, peer.port) = ("", 0);
            }
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(())
}

fn socket_address<'a>(peer: &mut Peer<'a>, mut message: Reader<'a>) -> Result<(), Malformed> {
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 | 6 => message.integer(wire).map(drop)?,
            2 => peer.address = message.text(wire)?,
            3 => peer.port = narrow(message.integer(wire)?),
            4 => {
                message.text(wire)?;
                peer.port = 0;
            }
            5 | 7 => message.text(wire).map(drop)?,
            _ => message.skip(tag, wire)?,
        }
    }
    Ok(())
}

fn timestamp(time: &mut Option<(i64, i32)>, mut message: Reader<'_>) -> Result<(), Malformed> {
    let (mut seconds, mut nanos) = time.unwrap_or_default();
    while let Some((tag, wire)) = message.key()? {
        match tag {
            1 => seconds = message.integer(wire)?.cast_signed(),
            2 => nanos = narrow(message.integer(wire)?).cast_signed(),
            _ => message.skip(tag, wire)?,
        }
    }
    *time = Some((seconds, nanos));
    Ok(())
}

/// 32-bit fields take the low half of a longer varint, as all protobuf decoders do.
#[expect(clippy::cast_possible_truncation, reason = "the protobuf rule for 32-bit fields")]
const fn narrow(value: u64) -> u32 {
    value as u32
}

/// A map keeps the last value of a key.
fn keep_last(headers: &mut Vec<Header<'_>>) {
    /// Up to here comparing all pairs is cheaper than hashing.
    const PAIRWISE: usize = 48;
    if headers.len() <= PAIRWISE {
        let mut rest = headers.as_slice();
        let mut unique = true;
        while let Some((first, others)) = rest.split_first() {
            unique &= others.iter().all(|h| h.name != first.name);
            rest = others;
        }
        if unique {
            return;
        }
    }
    let mut last = HashMap::with_capacity(headers.len());
    for (position, header) in headers.iter().enumerate() {
        last.insert(header.name, position);
    }
    let mut position = 0;
    headers.retain(|header| {
        let keep = last.get(header.name) == Some(&position);
        position += 1;
        keep
    });
}

/// Envoy sends names in lower case; another client may not. True when there was nothing to do.
fn lower_names<'a>(headers: &mut Vec<Header<'a>>, scratch: &'a Scratch) -> bool {
    let upper = |name: &str| name.bytes().any(|b| b.is_ascii_uppercase());
    if !headers.iter().any(|h| upper(h.name)) {
        return true;
    }
    let all: String = headers.iter().filter(|h| upper(h.name)).map(|h| h.name).collect();
    let mut lowered: &str = scratch.lowered.get_or_init(|| all.to_ascii_lowercase());
    for header in headers.iter_mut().filter(|h| upper(h.name)) {
        if let Some((name, rest)) = lowered.split_at_checked(header.name.len()) {
            header.name = name;
            lowered = rest;
        }
    }
    false
}
