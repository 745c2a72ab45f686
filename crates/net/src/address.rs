//! Which addresses may be fetched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::error::FetchError;

/// What is done with an address that is clear text and not on this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OutboundPlaintext")]
pub enum Plaintext {
    /// It is refused.
    #[default]
    Refuse,
    /// It is used: something else has to protect the way to it.
    Accept,
}

/// Says whether an address may be fetched: https; http on this machine, or anywhere when `plaintext` accepts it. Addresses do not
/// carry user names and passwords: they are written to logs.
///
/// # Errors
/// [`FetchError::Address`], [`FetchError::Insecure`] or [`FetchError::Credentials`].
pub fn check_address(address: &str, plaintext: Plaintext) -> Result<(), FetchError> {
    parse(address, plaintext).map(drop)
}

pub(crate) fn parse(address: &str, plaintext: Plaintext) -> Result<Url, FetchError> {
    let url = Url::parse(address).map_err(FetchError::Address)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Credentials);
    }
    let on_this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if on_this_machine || plaintext == Plaintext::Accept => Ok(url),
        _ => Err(FetchError::Insecure),
    }
}
