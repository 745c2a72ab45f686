//! `net.cidr_*` as OPA has them.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::{Context as _, Result, bail};
use ipnet::{IpNet, Ipv4Net};
use regorus::Value;
use regorus::value::Set;

/// `net.cidr_contains(cidr, cidr_or_ip)`. An IPv4 address in IPv6 form (`::ffff:10.1.2.3`) is that IPv4 address,
/// as in Go: a list of IPv4 networks must not be bypassed by writing the address differently.
pub(super) fn cidr_contains(args: &[Value]) -> Result<Value> {
    let [Value::String(net), Value::String(part)] = args else { bail!("two networks") };
    let (network, prefix) = parse_network(net).context("not a network")?;
    let inner = if part.contains('/') { parse_network(part) } else { parse_address(part) };
    let (address, length) = inner.context("not a network or address")?;
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

/// `net.cidr_intersects(cidr, cidr)`.
pub(super) fn cidr_intersects(args: &[Value]) -> Result<Value> {
    let [Value::String(first), Value::String(second)] = args else { bail!("two networks") };
    let (one, other) =
        (parse_network(first).context("not a network")?, parse_network(second).context("not a network")?);
    let shorter = one.1.min(other.1);
    let intersects = one.0.is_ipv4() == other.0.is_ipv4() && masked(one.0, shorter) == masked(other.0, shorter);
    Ok(Value::Bool(intersects))
}

/// `net.cidr_merge(addresses)`: the fewest networks that hold all of them. An IPv4 address alone stands for its classful network, as in
/// Go's `DefaultMask`.
pub(super) fn cidr_merge(args: &[Value]) -> Result<Value> {
    let items: Vec<&Value> = match args {
        [Value::Array(items)] => items.iter().collect(),
        [Value::Set(items)] => items.iter().collect(),
        _ => bail!("an array or set of addresses"),
    };
    let networks: Result<Vec<IpNet>> =
        items.into_iter().map(|item| Ok(mergeable(item.as_string()?)?.trunc())).collect();
    let mut merged = IpNet::aggregate(&networks?);
    merged.sort();
    let mut out = Set::new();
    for network in merged {
        out.insert(Value::from(network.to_string()));
    }
    Ok(out.into_value())
}

fn mergeable(text: &str) -> Result<IpNet> {
    if text.contains('/') {
        return Ok(text.parse()?);
    }
    let IpAddr::V4(address) = text.parse()? else { bail!("an IPv6 address needs a prefix") };
    let prefix = match address.octets() {
        [0..=127, ..] => 8,
        [128..=191, ..] => 16,
        [192..=223, ..] => 24,
        _ => bail!("an address without a class needs a prefix"),
    };
    Ok(IpNet::V4(Ipv4Net::new(address, prefix)?))
}

/// `net.cidr_contains_matches(cidrs, cidrs_or_ips)`: the pairs of places whose network holds the other one's.
pub(super) fn cidr_contains_matches(args: &[Value]) -> Result<Value> {
    let [outer, inner] = args else { bail!("two collections of networks") };
    let (outer, inner) = (places(outer)?, places(inner)?);
    let mut matches = Set::new();
    for (outer_key, network) in &outer {
        for (inner_key, part) in &inner {
            match cidr_contains(&[network.clone(), part.clone()])? {
                Value::Bool(true) => {
                    matches.insert(Value::from(vec![outer_key.clone(), inner_key.clone()]));
                }
                Value::Bool(false) => {}
                Value::Null
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Set(_)
                | Value::Object(_)
                | Value::Undefined => bail!("not a network"),
            }
        }
    }
    Ok(matches.into_value())
}

/// The networks of a collection with what names them in it.
fn places(collection: &Value) -> Result<Vec<(Value, Value)>> {
    let network = |item: &Value| match item {
        Value::Array(tuple) => tuple.first().cloned().context("an empty tuple"),
        Value::String(_) => Ok(item.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Set(_) | Value::Object(_) | Value::Undefined => {
            bail!("not a network")
        }
    };
    let pairs = match collection {
        Value::String(_) => vec![(collection.clone(), collection.clone())],
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, item)| (Value::from(i as u64), item.clone())).collect()
        }
        Value::Set(items) => items.iter().map(|item| (item.clone(), item.clone())).collect(),
        Value::Object(object) => object.iter().map(|(key, item)| (key.clone(), item.clone())).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Undefined => bail!("not a collection of networks"),
    };
    pairs.into_iter().map(|(key, item)| Ok((key, network(&item)?))).collect()
}
