//! `uri.*`: URI references in their parts, as OPA reads them (which is as Go's net/url does).

use std::net::Ipv6Addr;

use anyhow::{Result, bail};
use regorus::Value;
use regorus::value::Object;

/// `uri.parse(uri)`: an object of those parts that are there.
pub(super) fn parse(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let uri = Uri::read(text)?;
    let parts = [
        ("scheme", uri.scheme),
        ("hostname", uri.hostname),
        ("port", uri.port),
        ("raw_path", if uri.raw_path.is_empty() { uri.path.clone() } else { uri.raw_path }),
        ("path", uri.path),
        ("raw_query", uri.query),
        ("fragment", uri.fragment),
    ];
    let mut out = Object::new();
    for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        out.insert(Value::from(name), Value::from(part));
    }
    Ok(out.into_value())
}

/// `uri.is_valid(uri)`: true for a text that is a URI reference and not empty.
pub(super) fn is_valid(args: &[Value]) -> Result<Value> {
    let valid = matches!(args, [Value::String(text)] if !text.is_empty() && Uri::read(text).is_ok());
    Ok(Value::Bool(valid))
}

/// A URI reference. Parts that are not there are empty.
#[derive(Default)]
struct Uri {
    scheme: String,
    hostname: String,
    port: String,
    path: String,
    /// Empty when the path is what its decoded form is written as.
    raw_path: String,
    query: String,
    fragment: String,
}

impl Uri {
    fn read(text: &str) -> Result<Self> {
        if text.bytes().any(|b| b.is_ascii_control()) {
            bail!("a control character");
        }
        let mut uri = Self::default();
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        uri.fragment = lossy(decode(fragment, In::Fragment)?);
        if rest == "*" {
            rest.clone_into(&mut uri.path);
            return Ok(uri);
        }
        let (scheme, rest) = split_scheme(rest)?;
        uri.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut uri.query);
        if !rest.starts_with('/') {
            // What follows a scheme without a slash is opaque, as the address of `mailto:`.
            if !uri.scheme.is_empty() {
                return Ok(uri);
            }
            if rest.split('/').next().is_some_and(|first| first.contains(':')) {
                bail!("a colon in the first part of the path");
            }
        }
        let has_authority = !uri.scheme.is_empty() || !rest.starts_with("///");
        if let Some(after) = rest.strip_prefix("//").filter(|_| has_authority) {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at_checked(end).unwrap_or((after, ""));
            uri.read_authority(authority)?;
            rest = path;
        }
        let path = decode(rest, In::Path)?;
        if encode_path(&path) != rest {
            rest.clone_into(&mut uri.raw_path);
        }
        uri.path = lossy(path);
        Ok(uri)
    }

    /// RFC 3986 §3.2. Who the user is does not matter here, but has to be well formed.
    fn read_authority(&mut self, authority: &str) -> Result<()> {
        let host = match authority.rsplit_once('@') {
            Some((user, host)) => {
                if !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:!$&'()*+,;=%@".contains(&b)) {
                    bail!("a character that is none of a user's name");
                }
                decode(user, In::User)?;
                host
            }
            None => authority,
        };
        let (name, port) = match host.rfind('[') {
            Some(0) => {
                let Some((inner, port)) = host.get(1..).and_then(|h| h.rsplit_once(']')) else { bail!("no ]") };
                (literal(inner)?, port)
            }
            Some(_) => bail!("a [ inside of a host"),
            None => {
                let (name, port) = host.split_at_checked(host.find(':').unwrap_or(host.len())).unwrap_or((host, ""));
                (decode(name, In::Host)?, port)
            }
        };
        self.port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.to_owned(),
            None if port.is_empty() => String::new(),
            _ => bail!("no port"),
        };
        self.hostname = lossy(name);
        Ok(())
    }
}

/// An IPv6 address, with a zone or without (RFC 6874 §2).
fn literal(inner: &str) -> Result<Vec<u8>> {
    let Some(at) = inner.find("%25") else {
        let address = decode(inner, In::Host)?;
        let _: Ipv6Addr = std::str::from_utf8(&address)?.parse()?;
        return Ok(address);
    };
    let (address, zone) = inner.split_at_checked(at).unwrap_or((inner, ""));
    let mut out = decode(address, In::Host)?;
    let _: Ipv6Addr = std::str::from_utf8(&out)?.parse()?;
    let zone = decode(zone, In::Zone)?;
    if zone.len() < 2 {
        bail!("an empty zone");
    }
    out.extend(zone);
    Ok(out)
}

/// The scheme, empty when there is none, and what follows its colon.
fn split_scheme(text: &str) -> Result<(&str, &str)> {
    let is_scheme = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    match text.split_once(':') {
        Some(("", _)) => bail!("no scheme before the colon"),
        Some((scheme, rest))
            if scheme.bytes().all(is_scheme) && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            Ok((scheme, rest))
        }
        _ => Ok(("", text)),
    }
}

/// Where a part stands: that says which characters and which escapes it may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    Fragment,
    Path,
    User,
    Host,
    Zone,
}

/// The part with its escapes decoded. In a host only bytes beyond ASCII may be escaped, so that nobody can hide its name.
fn decode(part: &str, place: In) -> Result<Vec<u8>> {
    let is_host = matches!(place, In::Host | In::Zone);
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if is_host && byte.is_ascii() && !of_host(byte) {
                bail!("a character that is none of a host");
            }
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            bail!("an escape without digits")
        };
        let decoded = high << 4 | low;
        let allowed = match place {
            In::Host => !decoded.is_ascii() || decoded == b'%',
            In::Zone => !decoded.is_ascii() || matches!(decoded, b'%' | b' ') || of_host(decoded),
            In::Fragment | In::Path | In::User => true,
        };
        if !allowed {
            bail!("an escape that no host may have");
        }
        out.push(decoded);
    }
    Ok(out)
}

fn of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// The way in which a path is written by default.
fn encode_path(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Bytes that are no UTF-8 become replacement characters.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
