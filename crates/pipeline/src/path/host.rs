//! Hosts in normal form.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

/// Why a host is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFault {
    /// There is none.
    Missing,
    /// It holds what no host name holds, user information included.
    Malformed,
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the request names no host",
            Self::Malformed => "the host is malformed",
        })
    }
}

/// The normal form of an authority: lower case, without port and trailing dot; IPv6 literals keep their brackets.
///
/// # Errors
/// [`HostFault`] when it is no host.
pub fn normalise_host(raw: &str) -> Result<Cow<'_, str>, HostFault> {
    let (name, port) = split_port(raw)?;
    if !port.bytes().all(|b| b.is_ascii_digit()) || port.len() > 5 {
        return Err(HostFault::Malformed);
    }
    if name.starts_with('[') {
        return Ok(Cow::Owned(name.to_ascii_lowercase()));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(HostFault::Missing);
    }
    let well_formed = name.len() <= 253
        && name.split('.').all(|label| !label.is_empty() && label.len() <= 63)
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if !well_formed {
        return Err(HostFault::Malformed);
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Ok(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Ok(Cow::Borrowed(name))
    }
}

fn split_port(raw: &str) -> Result<(&str, &str), HostFault> {
    if raw.is_empty() {
        return Err(HostFault::Missing);
    }
    if let Some(rest) = raw.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or(HostFault::Malformed)?;
        address.parse::<Ipv6Addr>().map_err(|_not_an_address| HostFault::Malformed)?;
        let name = raw.get(..address.len() + 2).ok_or(HostFault::Malformed)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((name, port)),
            None if after.is_empty() => Ok((name, "")),
            None => Err(HostFault::Malformed),
        };
    }
    Ok(raw.split_once(':').unwrap_or((raw, "")))
}
