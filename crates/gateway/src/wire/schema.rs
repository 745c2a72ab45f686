//! The parts of `CheckRequest` that the request path does not read, as tables, so that they can be
//! checked without being decoded.

use super::reader::{Malformed, Reader};

/// A message: its fields by tag.
pub(crate) struct Schema(pub(crate) &'static [(u32, Kind)]);

/// The type of a field.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Integers, enumerations, `bool`.
    Integer,
    /// `double`.
    Double,
    /// `string`.
    Text,
    /// `bytes`.
    Bytes,
    /// A message.
    Message(&'static Schema),
    /// A map, by the message of its entries.
    Map(&'static Schema),
}

/// An entry of `map<string, string>`.
pub(crate) static TEXT_ENTRY: Schema = Schema(&[(1, Kind::Text), (2, Kind::Text)]);
/// `google.protobuf.Struct`.
static STRUCT: Schema = Schema(&[(1, Kind::Map(&VALUE_ENTRY))]);
static VALUE_ENTRY: Schema = Schema(&[(1, Kind::Text), (2, Kind::Message(&VALUE))]);
static VALUE: Schema = Schema(&[
    (1, Kind::Integer),
    (2, Kind::Double),
    (3, Kind::Text),
    (4, Kind::Integer),
    (5, Kind::Message(&STRUCT)),
    (6, Kind::Message(&LIST)),
]);
static LIST: Schema = Schema(&[(1, Kind::Message(&VALUE))]);
static ANY: Schema = Schema(&[(1, Kind::Text), (2, Kind::Bytes)]);
static STRUCT_ENTRY: Schema = Schema(&[(1, Kind::Text), (2, Kind::Message(&STRUCT))]);
static ANY_ENTRY: Schema = Schema(&[(1, Kind::Text), (2, Kind::Message(&ANY))]);
/// `envoy.config.core.v3.Metadata`.
pub(crate) static METADATA: Schema = Schema(&[(1, Kind::Map(&STRUCT_ENTRY)), (2, Kind::Map(&ANY_ENTRY))]);
/// `AttributeContext.TLSSession`.
pub(crate) static TLS_SESSION: Schema = Schema(&[(1, Kind::Text)]);
/// `envoy.config.core.v3.Pipe`.
pub(crate) static PIPE: Schema = Schema(&[(1, Kind::Text), (2, Kind::Integer)]);
/// `envoy.config.core.v3.EnvoyInternalAddress`.
pub(crate) static INTERNAL_ADDRESS: Schema = Schema(&[(1, Kind::Text), (2, Kind::Text)]);

/// Reads a whole message and throws it away.
///
/// # Errors
/// [`Malformed`] exactly when prost would not decode it.
pub(crate) fn validate(schema: &Schema, mut message: Reader<'_>) -> Result<(), Malformed> {
    while let Some((tag, wire)) = message.key()? {
        match schema.0.iter().find(|(t, _)| *t == tag).map(|(_, kind)| kind) {
            Some(Kind::Integer) => message.integer(wire).map(drop)?,
            Some(Kind::Double) => message.fixed64(wire)?,
            Some(Kind::Text) => message.text(wire).map(drop)?,
            Some(Kind::Bytes) => message.bytes(wire).map(drop)?,
            Some(Kind::Message(inner)) => validate(inner, message.message(wire)?)?,
            Some(Kind::Map(entry)) => validate(entry, message.map_entry()?)?,
            None => message.skip(tag, wire)?,
        }
    }
    Ok(())
}
