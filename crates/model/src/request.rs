//! What a stage may ask of a request.
//!
//! [`RequestView`] is implemented over the received bytes in `gateway` and by [`OwnedRequest`] everywhere else
//! (`explain`, tests, benchmarks). Names follow `envoy.service.auth.v3.AttributeContext`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One request as Envoy describes it (ext_authz `CheckRequest.attributes`). Read-only; every field may be absent.
pub trait RequestView {
    /// `attributes.request.http` without its headers.
    fn http(&self) -> &HttpFields<'_>;

    /// False when the headers did not come as Envoy sends them by default: as a `header_map`, or with names in upper case. What
    /// [`RequestView::headers`] gives is then not what [`RequestView::attribute`] shows.
    fn has_plain_headers(&self) -> bool {
        true
    }

    /// The request headers in the order received: names in lower case, duplicates kept,
    /// pseudo-headers (`:path`, …) included when Envoy sends them. Both forms of ext_authz
    /// (`headers` and `header_map`) end here.
    fn headers(&self) -> &[Header<'_>];

    /// `attributes.source`: the peer that connected to Envoy.
    fn source(&self) -> &Peer<'_>;

    /// `attributes.destination`: the side of Envoy that accepted the request.
    fn destination(&self) -> &Peer<'_>;

    /// A part of `attributes` by its `lowerCamelCase` path as policies see it, for example
    /// `["metadataContext", "filterMetadata", "x"]` or `["contextExtensions"]`, built on demand.
    /// `None` when absent. An empty path is the whole of `attributes`.
    fn attribute(&self, path: &[&str]) -> Option<Value>;
}

/// `AttributeContext.HttpRequest` without headers. Absent strings are empty, as in protobuf.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpFields<'a> {
    /// `id`: Envoy's stream id.
    pub id: &'a str,
    /// `method`, as sent by the client.
    pub method: &'a str,
    /// `path`: the `:path` pseudo-header with its query, byte for byte.
    pub path: &'a str,
    /// `host`: the authority.
    pub host: &'a str,
    /// `scheme`: `http` or `https`.
    pub scheme: &'a str,
    /// `query`; Envoy leaves it empty, the query is part of `path`.
    pub query: &'a str,
    /// `fragment`; always empty in practice.
    pub fragment: &'a str,
    /// `protocol`: `HTTP/1.1`, `HTTP/2`, …
    pub protocol: &'a str,
    /// `size` of the body in bytes, -1 when unknown.
    pub size: i64,
    /// `body` or `raw_body`, when Envoy was told to send it.
    pub body: &'a [u8],
    /// True when the body came as `raw_body` (filter option `pack_as_bytes`).
    pub body_is_raw: bool,
    /// `body`, when `raw_body` came beside it; Envoy sends one of them.
    pub text_body: &'a str,
    /// `attributes.request.time` as (seconds, nanoseconds) since the epoch.
    pub time: Option<(i64, i32)>,
}

/// One request header. `name` is lower case; `value` is as received and need not be UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name in lower case.
    pub name: &'a str,
    /// Value as received.
    pub value: &'a [u8],
}

impl<'a> Header<'a> {
    /// The value as text, when it is UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.value).ok()
    }
}

/// `AttributeContext.Peer`: the parts that are asked for on the request path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peer<'a> {
    /// IP address in text form; empty when absent or not an IP socket.
    pub address: &'a str,
    /// Port, 0 when absent.
    pub port: u32,
    /// `principal`: the name in the peer's verified certificate, as Envoy states it.
    pub principal: &'a str,
    /// `certificate`: URL-encoded PEM, when Envoy was told to send it.
    pub certificate: &'a str,
}

/// A request that owns its parts: for `explain`, tests, benchmarks and replay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnedRequest {
    /// Method; `GET` when empty.
    pub method: String,
    /// `https` or `http`.
    pub scheme: String,
    /// Authority.
    pub host: String,
    /// Path with query.
    pub path: String,
    /// Protocol, for example `HTTP/1.1`.
    pub protocol: String,
    /// Headers in order; names are lowered on use.
    pub headers: Vec<(String, String)>,
    /// Body as text.
    pub body: String,
    /// Address of the peer that connected to Envoy.
    pub source_address: String,
    /// `source.principal`.
    pub source_principal: String,
    /// Further parts of `attributes`, by their lowerCamelCase names (`contextExtensions`, `metadataContext`, …).
    pub attributes: Map<String, Value>,
}

impl OwnedRequest {
    /// A `GET` over `https` of `path` at `host`.
    pub fn get(host: &str, path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            scheme: "https".to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            source_address: "127.0.0.1".to_owned(),
            ..Self::default()
        }
    }

    /// The same request with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The same request with another method.
    #[must_use]
    pub fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// A view of this request. Header names are taken as they are: write them in lower case.
    pub fn view(&self) -> OwnedView<'_> {
        OwnedView {
            http: HttpFields {
                method: if self.method.is_empty() { "GET" } else { &self.method },
                path: &self.path,
                host: &self.host,
                scheme: &self.scheme,
                protocol: &self.protocol,
                size: i64::try_from(self.body.len()).unwrap_or(i64::MAX),
                body: self.body.as_bytes(),
                ..HttpFields::default()
            },
            headers: self.headers.iter().map(|(n, v)| Header { name: n, value: v.as_bytes() }).collect(),
            source: Peer { address: &self.source_address, principal: &self.source_principal, ..Peer::default() },
            destination: Peer::default(),
            request: self,
        }
    }
}

/// The view of an [`OwnedRequest`].
#[derive(Debug)]
pub struct OwnedView<'a> {
    http: HttpFields<'a>,
    headers: Vec<Header<'a>>,
    source: Peer<'a>,
    destination: Peer<'a>,
    request: &'a OwnedRequest,
}

impl RequestView for OwnedView<'_> {
    fn http(&self) -> &HttpFields<'_> {
        &self.http
    }

    fn headers(&self) -> &[Header<'_>] {
        &self.headers
    }

    fn source(&self) -> &Peer<'_> {
        &self.source
    }

    fn destination(&self) -> &Peer<'_> {
        &self.destination
    }

    fn attribute(&self, path: &[&str]) -> Option<Value> {
        let Some((first, rest)) = path.split_first() else {
            return Some(Value::Object(self.request.attributes.clone()));
        };
        let mut value = self.request.attributes.get(*first)?;
        for key in rest {
            value = value.get(key)?;
        }
        Some(value.clone())
    }
}
