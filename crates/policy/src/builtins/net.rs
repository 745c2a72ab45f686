//! `net.cidr_contains` as OPA has it.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::Result;
use regorus::Value;

/// `net.cidr_contains(cidr, cidr_or_ip)`. An IPv4 address in IPv6 form (`::ffff:10.1.2.3`) is that IPv4 address,
/// as in Go: a list of IPv4 networks must not be bypassed by writing the address differently.
pub(super) fn cidr_contains(args: &[Value]) -> Result<Value> {
    let [Value::String(net), Value::String(part)] = args else { return Ok(Value::Undefined) };
    let Some((network, prefix)) = parse_network(net) else { return Ok(Value::Undefined) };
    let inner = if part.contains('/') { parse_network(part) } else { parse_address(part) };
    let Some((address, length)) = inner else { return Ok(Value::Undefined) };
    let contains = network.is_ipv4() == address.is_ipv4()
        && length >= prefix
        && masked(network, prefix) == masked(address, prefix);
    Ok(Value::Bool(contains))
}

fn parse_address(text: &str) -> Option<(IpAddr, u8)> {
    let address = text.parse::<IpAddr>().ok()?.to_canonical();
    Some((address, if address.is_ipv4() { 32 } else { 128 }))
}

fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let address: IpAddr = address.parse().ok()?;
    let prefix: u8 = prefix.parse().ok()?;
    match address {
        IpAddr::V4(_) => (prefix <= 32).then_some((address, prefix)),
        IpAddr::V6(v6) => v6_network(v6, prefix),
    }
}

fn v6_network(address: Ipv6Addr, prefix: u8) -> Option<(IpAddr, u8)> {
    match (address.to_ipv4_mapped(), prefix) {
        (_, 129..) => None,
        (Some(v4), 96..) => Some((IpAddr::V4(v4), prefix - 96)),
        _ => Some((IpAddr::V6(address), prefix)),
    }
}

fn masked(address: IpAddr, prefix: u8) -> u128 {
    let (bits, width) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32_u8),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    bits.checked_shr(u32::from(width.saturating_sub(prefix))).unwrap_or(0)
}
