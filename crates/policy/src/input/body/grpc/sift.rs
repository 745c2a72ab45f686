//! A message without the fields that are not as described.
//!
//! Protobuf libraries differ in what they make of a field with another wire type than the described one: Go's takes it for an
//! unknown field and skips it, `prost` refuses the message. So what `prost` refuses is sifted and read again.

use prost_reflect::prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

/// Go's message for bytes that are no message.
pub(super) const MALFORMED: &str = "cannot parse invalid wire-format data";
/// The deepest nesting of messages: the limit of `prost`.
const MAX_DEPTH: usize = 100;

/// The message with its described fields alone.
///
/// # Errors
/// The bytes are no message, or a text in it is no UTF-8; in Go's words.
pub(super) fn known_fields(kind: &MessageDescriptor, message: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(message.len());
    sift(kind, message, MAX_DEPTH, &mut out)?;
    Ok(out)
}

fn sift(kind: &MessageDescriptor, mut rest: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else { return Err(MALFORMED.to_owned()) };
    while !rest.is_empty() {
        let (number, wire) = decode_key(&mut rest).map_err(|_malformed| MALFORMED)?;
        let value = take_value(number, wire, &mut rest).ok_or(MALFORMED)?;
        let Some(field) = kind.get_field(number).filter(|field| fits(field, wire)) else { continue };
        encode_key(number, wire, out);
        match (wire, field.kind()) {
            (WireType::LengthDelimited, Kind::Message(kind)) => {
                let mut inner = Vec::with_capacity(value.len());
                sift(&kind, value, depth, &mut inner)?;
                put_bytes(&inner, out);
            }
            (WireType::StartGroup, Kind::Message(kind)) => {
                sift(&kind, value, depth, out)?;
                encode_key(number, WireType::EndGroup, out);
            }
            (WireType::LengthDelimited, Kind::String) if std::str::from_utf8(value).is_err() => {
                return Err(format!("field {} contains invalid UTF-8", field.full_name()));
            }
            (WireType::LengthDelimited, _) => put_bytes(value, out),
            _ => out.extend_from_slice(value),
        }
    }
    Ok(())
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), out);
    out.extend_from_slice(bytes);
}

/// Whether a field comes as it is described; lists of numbers may be packed or not.
fn fits(field: &FieldDescriptor, wire: WireType) -> bool {
    let own = match field.kind() {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::SixtyFourBit,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::ThirtyTwoBit,
        Kind::String | Kind::Bytes => WireType::LengthDelimited,
        Kind::Message(_) if field.is_group() => WireType::StartGroup,
        Kind::Message(_) => WireType::LengthDelimited,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => WireType::Varint,
    };
    wire == own || (field.is_list() && wire == WireType::LengthDelimited && own != WireType::StartGroup)
}

/// The value behind a key: without its length, or without the key that ends its group.
fn take_value<'a>(number: u32, wire: WireType, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = *rest;
    let len = match wire {
        WireType::Varint => {
            decode_varint(rest).ok()?;
            return start.get(..start.len() - rest.len());
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => usize::try_from(decode_varint(rest).ok()?).ok()?,
        WireType::StartGroup => return take_group(number, rest),
        WireType::EndGroup => return None,
    };
    let (value, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(value)
}

/// Up to the end of a group. Groups in it are kept in a list, so nesting costs no stack.
fn take_group<'a>(number: u32, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = *rest;
    let mut open = vec![number];
    while !open.is_empty() {
        let before = rest.len();
        let (number, wire) = decode_key(rest).ok()?;
        match wire {
            WireType::StartGroup => open.push(number),
            WireType::EndGroup => {
                if open.pop() != Some(number) {
                    return None;
                }
                if open.is_empty() {
                    return start.get(..start.len() - before);
                }
            }
            WireType::Varint | WireType::SixtyFourBit | WireType::ThirtyTwoBit | WireType::LengthDelimited => {
                take_value(number, wire, rest)?;
            }
        }
    }
    None
}
