//! Attributes in the JSON shape that OPA's Envoy plugin gives to policies: `lowerCamelCase`, only populated
//! fields, enumerations and 64-bit integers as numbers, times as `{seconds, nanos}`, `Struct` as plain JSON, bytes as base64.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{Address, HeaderMap, Metadata, SocketAddress};
use envoy_types::pb::envoy::config::core::v3::{address, envoy_internal_address, socket_address};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, attribute_context};
use envoy_types::pb::google::protobuf::{Any, Struct, Timestamp, Value as ProtoValue, value::Kind};
use serde_json::{Map, Number, Value};

/// The whole of `attributes`.
pub(super) fn attributes(context: &AttributeContext) -> Value {
    let mut map = Map::new();
    put(&mut map, "source", context.source.as_ref().map(peer));
    put(&mut map, "destination", context.destination.as_ref().map(peer));
    put(&mut map, "request", context.request.as_ref().map(request));
    put(&mut map, "contextExtensions", texts(&context.context_extensions));
    put(&mut map, "metadataContext", context.metadata_context.as_ref().map(metadata));
    put(&mut map, "routeMetadataContext", context.route_metadata_context.as_ref().map(metadata));
    put(&mut map, "tlsSession", context.tls_session.as_ref().map(|tls| object(&[("sni", text(&tls.sni))])));
    Value::Object(map)
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value);
    }
}

fn object(fields: &[(&str, Option<Value>)]) -> Value {
    let mut map = Map::new();
    for (key, value) in fields {
        put(&mut map, key, value.clone());
    }
    Value::Object(map)
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::from(text))
}

fn number(number: i64) -> Option<Value> {
    (number != 0).then(|| Value::from(number))
}

fn texts(texts: &HashMap<String, String>) -> Option<Value> {
    let map: Map<_, _> = texts.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn bytes(bytes: &[u8]) -> Option<Value> {
    (!bytes.is_empty()).then(|| Value::from(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)))
}

fn peer(peer: &attribute_context::Peer) -> Value {
    object(&[
        ("address", peer.address.as_ref().map(address_value)),
        ("service", text(&peer.service)),
        ("labels", texts(&peer.labels)),
        ("principal", text(&peer.principal)),
        ("certificate", text(&peer.certificate)),
    ])
}

fn address_value(address: &Address) -> Value {
    let field = match &address.address {
        None => return Value::Object(Map::new()),
        Some(address::Address::SocketAddress(socket)) => ("socketAddress", Some(socket_value(socket))),
        Some(address::Address::Pipe(pipe)) => {
            ("pipe", Some(object(&[("path", text(&pipe.path)), ("mode", number(pipe.mode.into()))])))
        }
        Some(address::Address::EnvoyInternalAddress(internal)) => {
            let name = internal.address_name_specifier.as_ref().map(|name| match name {
                envoy_internal_address::AddressNameSpecifier::ServerListenerName(name) => Value::from(name.as_str()),
            });
            let fields = object(&[("serverListenerName", name), ("endpointId", text(&internal.endpoint_id))]);
            ("envoyInternalAddress", Some(fields))
        }
    };
    object(&[field])
}

fn socket_value(socket: &SocketAddress) -> Value {
    // A member of a oneof is there once it is set, whatever its value.
    let port = match &socket.port_specifier {
        None => ("portValue", None),
        Some(socket_address::PortSpecifier::PortValue(port)) => ("portValue", Some(Value::from(*port))),
        Some(socket_address::PortSpecifier::NamedPort(name)) => ("namedPort", Some(Value::from(name.as_str()))),
    };
    object(&[
        ("protocol", number(socket.protocol.into())),
        ("address", text(&socket.address)),
        port,
        ("resolverName", text(&socket.resolver_name)),
        ("ipv4Compat", socket.ipv4_compat.then_some(Value::Bool(true))),
        ("networkNamespaceFilepath", text(&socket.network_namespace_filepath)),
    ])
}

fn request(request: &attribute_context::Request) -> Value {
    object(&[("time", request.time.as_ref().map(timestamp)), ("http", request.http.as_ref().map(http))])
}

fn timestamp(time: &Timestamp) -> Value {
    object(&[("seconds", number(time.seconds)), ("nanos", number(time.nanos.into()))])
}

fn http(http: &attribute_context::HttpRequest) -> Value {
    object(&[
        ("id", text(&http.id)),
        ("method", text(&http.method)),
        ("headers", texts(&http.headers)),
        ("path", text(&http.path)),
        ("host", text(&http.host)),
        ("scheme", text(&http.scheme)),
        ("query", text(&http.query)),
        ("fragment", text(&http.fragment)),
        ("size", number(http.size)),
        ("protocol", text(&http.protocol)),
        ("body", text(&http.body)),
        ("rawBody", bytes(&http.raw_body)),
        ("headerMap", http.header_map.as_ref().map(header_map)),
    ])
}

fn header_map(headers: &HeaderMap) -> Value {
    let list: Vec<_> = headers
        .headers
        .iter()
        .map(|h| object(&[("key", text(&h.key)), ("value", text(&h.value)), ("rawValue", bytes(&h.raw_value))]))
        .collect();
    object(&[("headers", (!list.is_empty()).then_some(Value::Array(list)))])
}

fn metadata(metadata: &Metadata) -> Value {
    let plain: Map<_, _> = metadata.filter_metadata.iter().map(|(k, v)| (k.clone(), struct_value(v))).collect();
    let typed: Map<_, _> = metadata.typed_filter_metadata.iter().map(|(k, v)| (k.clone(), any(v))).collect();
    object(&[
        ("filterMetadata", (!plain.is_empty()).then_some(Value::Object(plain))),
        ("typedFilterMetadata", (!typed.is_empty()).then_some(Value::Object(typed))),
    ])
}

fn any(any: &Any) -> Value {
    object(&[("typeUrl", text(&any.type_url)), ("value", bytes(&any.value))])
}

fn struct_value(fields: &Struct) -> Value {
    Value::Object(fields.fields.iter().map(|(k, v)| (k.clone(), plain(v))).collect())
}

fn plain(value: &ProtoValue) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::NumberValue(number)) => real(*number),
        Some(Kind::StringValue(text)) => Value::from(text.as_str()),
        Some(Kind::BoolValue(bool)) => Value::Bool(*bool),
        Some(Kind::StructValue(fields)) => struct_value(fields),
        Some(Kind::ListValue(list)) => Value::Array(list.values.iter().map(plain).collect()),
    }
}

/// Whole numbers within 2⁵³ as integers, so that policies can compare them with `==`; NaN and infinities, which JSON lacks, as null.
fn real(real: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if real.fract() == 0.0 && real.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        let whole = real as i64;
        return Value::from(whole);
    }
    Number::from_f64(real).map_or(Value::Null, Value::Number)
}
