//! Our index over a check request and prost say the same about all bytes.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3::{address, socket_address};
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{self, HttpRequest};
use gateway::wire::{CheckIndex, Scratch};
use model::{Peer, RequestView as _};
use prost::Message as _;

pub(super) fn run(bytes: &[u8]) {
    let scratch = Scratch::default();
    match (CheckRequest::decode(bytes), CheckIndex::parse(bytes, &scratch)) {
        (Ok(message), Ok(index)) => same(message, &index),
        (Err(_), Err(_)) => {}
        (prost, index) => panic!("prost says {:?}, the index says {:?}", prost.err(), index.err()),
    }
}

fn same(message: CheckRequest, index: &CheckIndex<'_>) {
    let attributes = message.attributes.unwrap_or_default();
    let request = attributes.request.unwrap_or_default();
    let http = request.http.unwrap_or_default();
    let got = index.http();
    assert_eq!(
        (got.id, got.method, got.path, got.host, got.scheme, got.query, got.fragment, got.protocol),
        (
            http.id.as_str(),
            http.method.as_str(),
            http.path.as_str(),
            http.host.as_str(),
            http.scheme.as_str(),
            http.query.as_str(),
            http.fragment.as_str(),
            http.protocol.as_str()
        )
    );
    assert_eq!(got.size, http.size);
    assert_eq!(got.time, request.time.map(|time| (time.seconds, time.nanos)));
    assert_eq!(got.body_is_raw, !http.raw_body.is_empty());
    assert_eq!(got.body, if http.raw_body.is_empty() { http.body.as_bytes() } else { &http.raw_body });
    same_headers(index, &http);
    same_peer(index.source(), attributes.source.as_ref());
    same_peer(index.destination(), attributes.destination.as_ref());
    // Every part can be asked for by itself and is what the whole says.
    let whole = index.attribute(&[]).expect("the whole of a well-formed request");
    for part in ["source", "destination", "request", "contextExtensions", "metadataContext", "tlsSession"] {
        assert_eq!(index.attribute(&[part]).as_ref(), whole.get(part), "{part}");
    }
}

/// Both forms end in one list; how often each pair of name and value comes must agree.
fn same_headers(index: &CheckIndex<'_>, http: &HttpRequest) {
    let mut count: BTreeMap<(String, Vec<u8>), i32> = BTreeMap::new();
    for header in index.headers() {
        *count.entry((header.name.to_owned(), header.value.to_vec())).or_default() += 1;
    }
    let listed = http.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
        (header.key.as_str(), value)
    });
    for (name, value) in http.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).chain(listed) {
        *count.entry((name.to_ascii_lowercase(), value.to_vec())).or_default() -= 1;
    }
    count.retain(|_, difference| *difference != 0);
    assert!(count.is_empty(), "headers differ: {count:?}");
}

fn same_peer(got: &Peer<'_>, message: Option<&attribute_context::Peer>) {
    let default = attribute_context::Peer::default();
    let wanted = message.unwrap_or(&default);
    assert_eq!((got.principal, got.certificate), (wanted.principal.as_str(), wanted.certificate.as_str()));
    let socket = match wanted.address.as_ref().and_then(|address| address.address.as_ref()) {
        Some(address::Address::SocketAddress(socket)) => Some(socket),
        Some(_) | None => None,
    };
    assert_eq!(got.address, socket.map_or("", |socket| socket.address.as_str()));
    let port = match socket.and_then(|socket| socket.port_specifier.as_ref()) {
        Some(socket_address::PortSpecifier::PortValue(port)) => *port,
        Some(_) | None => 0,
    };
    assert_eq!(got.port, port);
}
