//! The first message of a gRPC call, read with the descriptors that the operator gave.

mod sift;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use regorus::Value;

use super::{NOTHING, ParsedBody, TRUNCATED, whole};
use crate::input::parsed;
use crate::input::source::Source;

/// Compressed flag and length before each message (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

/// `null` for what is not described, is compressed, or streams from the client.
pub(super) fn parse(source: &Source<'_, '_>, body: &[u8], descriptors: &DescriptorPool) -> Result<ParsedBody, String> {
    let path = parsed::segments(source)?;
    let [service, method] = path.as_slice() else { return Err("invalid parsed path".to_owned()) };
    let Some((prefix, rest)) = body.split_at_checked(PREFIX) else { return Err("less than 5 bytes".to_owned()) };
    let [compressed, length @ ..] = prefix else { return Ok(NOTHING) };
    if *compressed != 0 {
        return Ok(NOTHING);
    }
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    let Some(message) = rest.get(..length) else { return Ok(TRUNCATED) };
    let Some(service) = descriptors.get_service_by_name(service) else { return Ok(NOTHING) };
    let Some(method) = service.methods().find(|m| m.name() == method.as_str()) else { return Ok(NOTHING) };
    if method.is_client_streaming() {
        return Ok(NOTHING);
    }
    let message = decode(source, &method.input(), message).map_err(|error| format!("proto: {error}"))?;
    let json = message
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .map_err(|error| error.to_string())?;
    Ok(whole(Value::from(json)))
}

fn decode(source: &Source<'_, '_>, kind: &MessageDescriptor, message: &[u8]) -> Result<DynamicMessage, String> {
    match DynamicMessage::decode(kind.clone(), message) {
        Err(_) if source.is_received() => {
            let sifted = sift::known_fields(kind, message)?;
            DynamicMessage::decode(kind.clone(), sifted.as_slice()).map_err(|_malformed| sift::MALFORMED.to_owned())
        }
        decoded => decoded.map_err(|error| error.to_string()),
    }
}
