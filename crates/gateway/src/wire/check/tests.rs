use envoy_types::pb::envoy::config::core::v3::{address, socket_address};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, attribute_context};
use model::{Peer, RequestView};
use prost::Message;
use serde_json::json;

use super::{CheckIndex, Scratch, json};
use crate::wire::generate::{case, cases};
use crate::wire::schema::{INTERNAL_ADDRESS, Kind, METADATA, PIPE, Schema, TEXT_ENTRY, TLS_SESSION};
use crate::wire::writer::Writer;

static CHECK_REQUEST: Schema = Schema(&[(1, Kind::Message(&ATTRIBUTES))]);
static ATTRIBUTES: Schema = Schema(&[
    (1, Kind::Message(&PEER)),
    (2, Kind::Message(&PEER)),
    (4, Kind::Message(&REQUEST)),
    (4, Kind::Message(&REQUEST)),
    (4, Kind::Message(&REQUEST)),
    (10, Kind::Map(&TEXT_ENTRY)),
    (11, Kind::Message(&METADATA)),
    (12, Kind::Message(&TLS_SESSION)),
    (13, Kind::Message(&METADATA)),
]);
static PEER: Schema = Schema(&[
    (1, Kind::Message(&ADDRESS)),
    (2, Kind::Text),
    (3, Kind::Map(&TEXT_ENTRY)),
    (4, Kind::Text),
    (5, Kind::Text),
]);
static ADDRESS: Schema =
    Schema(&[(1, Kind::Message(&SOCKET)), (2, Kind::Message(&PIPE)), (3, Kind::Message(&INTERNAL_ADDRESS))]);
static SOCKET: Schema = Schema(&[
    (1, Kind::Integer),
    (2, Kind::Text),
    (3, Kind::Integer),
    (4, Kind::Text),
    (5, Kind::Text),
    (6, Kind::Integer),
    (7, Kind::Text),
]);
static REQUEST: Schema = Schema(&[(1, Kind::Message(&TIME)), (2, Kind::Message(&HTTP)), (2, Kind::Message(&HTTP))]);
static TIME: Schema = Schema(&[(1, Kind::Integer), (2, Kind::Integer)]);
static HTTP: Schema = Schema(&[
    (1, Kind::Text),
    (2, Kind::Text),
    (3, Kind::Map(&TEXT_ENTRY)),
    (3, Kind::Map(&TEXT_ENTRY)),
    (4, Kind::Text),
    (5, Kind::Text),
    (6, Kind::Text),
    (7, Kind::Text),
    (8, Kind::Text),
    (9, Kind::Integer),
    (10, Kind::Text),
    (11, Kind::Text),
    (12, Kind::Bytes),
    (13, Kind::Message(&HEADER_MAP)),
]);
static HEADER_MAP: Schema = Schema(&[(1, Kind::Message(&HEADER_VALUE))]);
static HEADER_VALUE: Schema = Schema(&[(1, Kind::Text), (2, Kind::Text), (3, Kind::Bytes)]);

/// Index and prost say the same; true when both accept.
fn agree(bytes: &[u8], name: &str) -> bool {
    let scratch = Scratch::default();
    match (CheckRequest::decode(bytes), CheckIndex::parse(bytes, &scratch)) {
        (Ok(message), Ok(index)) => {
            same(&message, &index, name);
            true
        }
        (Err(_), Err(_)) => false,
        (prost, index) => panic!("{name}: prost {:?}, index {:?}, bytes {bytes:?}", prost.err(), index.err()),
    }
}

fn same(message: &CheckRequest, index: &CheckIndex<'_>, name: &str) {
    let attributes = message.attributes.clone().unwrap_or_default();
    let request = attributes.request.clone().unwrap_or_default();
    let http = request.http.clone().unwrap_or_default();
    let got = index.http();
    let texts = [
        (got.id, &http.id),
        (got.method, &http.method),
        (got.path, &http.path),
        (got.host, &http.host),
        (got.scheme, &http.scheme),
        (got.query, &http.query),
        (got.fragment, &http.fragment),
        (got.protocol, &http.protocol),
    ];
    for (got, wanted) in texts {
        assert_eq!(got, wanted, "{name}");
    }
    assert_eq!(got.size, http.size, "{name}");
    assert_eq!(got.time, request.time.map(|t| (t.seconds, t.nanos)), "{name}");
    assert_eq!(got.body_is_raw, !http.raw_body.is_empty(), "{name}");
    let body = if http.raw_body.is_empty() { http.body.as_bytes() } else { &http.raw_body };
    assert_eq!(got.body, body, "{name}");
    assert_eq!(headers(index), prost_headers(&http), "{name}");
    same_peer(index.source(), attributes.source.as_ref(), name);
    same_peer(index.destination(), attributes.destination.as_ref(), name);
    let whole = json::attributes(&attributes);
    assert_eq!(index.attribute(&[]).as_ref(), Some(&whole), "{name}");
    for key in [
        "source",
        "destination",
        "request",
        "contextExtensions",
        "metadataContext",
        "tlsSession",
        "routeMetadataContext",
    ] {
        assert_eq!(index.attribute(&[key]).as_ref(), whole.get(key), "{name}: {key}");
    }
}

fn headers(index: &CheckIndex<'_>) -> Vec<(String, Vec<u8>)> {
    let mut list: Vec<_> = index.headers().iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect();
    list.sort();
    list
}

fn prost_headers(http: &attribute_context::HttpRequest) -> Vec<(String, Vec<u8>)> {
    let map = http.headers.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.clone().into_bytes()));
    let list = http.header_map.iter().flat_map(|m| &m.headers).map(|h| {
        let value = if h.raw_value.is_empty() { h.value.clone().into_bytes() } else { h.raw_value.clone() };
        (h.key.to_ascii_lowercase(), value)
    });
    let mut all: Vec<_> = map.chain(list).collect();
    all.sort();
    all
}

fn same_peer(got: &Peer<'_>, wanted: Option<&attribute_context::Peer>, name: &str) {
    let wanted = wanted.cloned().unwrap_or_default();
    assert_eq!((got.principal, got.certificate), (&*wanted.principal, &*wanted.certificate), "{name}");
    let (address, port) = match wanted.address.and_then(|a| a.address) {
        Some(address::Address::SocketAddress(socket)) => {
            let port = match socket.port_specifier {
                Some(socket_address::PortSpecifier::PortValue(port)) => port,
                _ => 0,
            };
            (socket.address, port)
        }
        _ => (String::new(), 0),
    };
    assert_eq!((got.address, got.port), (&*address, port), "{name}");
}

fn differential(count: u64, first: u64) {
    let accepted =
        (first..first + count).filter(|seed| agree(&case(&CHECK_REQUEST, *seed), &format!("case {seed}"))).count();
    let share = accepted as f64 / count as f64;
    assert!((0.3..0.99).contains(&share), "the cases are one-sided: {share} accepted");
}

#[test]
fn index_and_prost_agree_on_random_messages() {
    differential(cases(50_000), 0);
}

#[test]
#[ignore = "ten million cases take minutes: cargo xtask differential"]
fn index_and_prost_agree_on_ten_million_messages() {
    differential(cases(10_000_000), 1 << 40);
}

#[test]
fn index_and_prost_agree_on_how_deep_messages_may_nest() {
    let mut accepted = 0;
    for levels in 10..60 {
        // Value -> ListValue -> Value …, inside attributes.metadata_context.filter_metadata.
        let mut value = Writer::default();
        value.integer(4, 1);
        let mut bytes = value.into_bytes();
        for _ in 0..levels {
            bytes = wrap(6, &wrap(1, &bytes));
        }
        let entry = [wrap(1, b"k"), wrap(2, &bytes)].concat();
        let metadata = wrap(1, &[wrap(1, b"f"), wrap(2, &wrap(1, &entry))].concat());
        accepted += u32::from(agree(&wrap(1, &wrap(11, &metadata)), &format!("{levels} levels")));
    }
    assert!((20..50).contains(&accepted), "{accepted} accepted");
}

#[test]
fn index_and_prost_agree_on_how_deep_groups_may_nest() {
    let mut accepted = 0;
    for levels in 90..110 {
        let group = [vec![0x7b; levels], vec![0x7c; levels]].concat();
        accepted += u32::from(agree(&group, "outermost"));
        agree(&wrap(1, &wrap(4, &wrap(2, &group))), "inside http");
    }
    assert!((5..15).contains(&accepted), "{accepted} accepted");
}

fn wrap(tag: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Writer::default();
    out.bytes(tag, bytes);
    out.into_bytes()
}

#[test]
fn many_repeated_map_keys_cost_no_quadratic_time() {
    let mut http = Writer::default();
    for n in 0..200_000_u32 {
        let name = format!("h{}", n % 100_000);
        http.message(3, |entry| {
            entry.text(1, &name);
            entry.text(2, &n.to_string());
        });
    }
    let bytes = wrap(1, &wrap(4, &wrap(2, &http.into_bytes())));
    let (scratch, started) = (Scratch::default(), std::time::Instant::now());
    let index = CheckIndex::parse(&bytes, &scratch).expect("well formed");
    assert_eq!(index.headers().len(), 100_000);
    assert!(index.headers().iter().any(|h| h.name == "h5" && h.value == b"100005"));
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}

#[test]
fn attributes_have_the_shape_policies_know() {
    let mut message = CheckRequest::default();
    let attributes = message.attributes.get_or_insert_default();
    attributes.context_extensions.insert("team".to_owned(), "orders".to_owned());
    attributes.metadata_context = Some(Default::default());
    let request = attributes.request.get_or_insert_default();
    request.time = Some(envoy_types::pb::google::protobuf::Timestamp { seconds: 7, nanos: 0 });
    let http = request.http.get_or_insert_default();
    (http.size, http.raw_body) = (-1, b"hi".to_vec());
    let (bytes, scratch) = (message.encode_to_vec(), Scratch::default());
    let index = CheckIndex::parse(&bytes, &scratch).expect("well formed");
    let request = json!({ "time": { "seconds": 7 }, "http": { "size": -1, "rawBody": "aGk=" } });
    let wanted = json!({ "request": request, "contextExtensions": { "team": "orders" }, "metadataContext": {} });
    assert_eq!(index.attribute(&[]), Some(wanted));
    assert_eq!(index.attribute(&["contextExtensions", "team"]), Some(json!("orders")));
    assert_eq!(index.attribute(&["contextExtensions", "none"]), None);
    assert_eq!(index.attribute(&["tlsSession"]), None);
    assert_eq!(index.attribute(&["unknown"]), None);
}

#[test]
fn a_request_without_http_has_nothing_to_decide_on() {
    let scratch = Scratch::default();
    assert!(CheckIndex::parse(b"", &scratch).expect("empty is well formed").http().path.is_empty());
}
