//! `tests/cases/opa-envoy/*.yaml`: requests with a policy and a configuration, and the exact response.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{
    HttpRequest, Peer, Request as AttributeRequest, TlsSession,
};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::google::protobuf::{self, value::Kind};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bins::repository;

/// One file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The policy.
    pub policy: String,
    /// Further files beside it, by name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The plugin's section; `addr` and `strict` are added.
    #[serde(default)]
    pub plugin: Map<String, Value>,
    /// Ask for gRPC bodies to be read, with the descriptors of the harness.
    #[serde(default)]
    pub descriptors: bool,
    /// The requests.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Why the plugin answers otherwise to the requests of other files, by the names of their cases.
    #[serde(default)]
    pub differs: BTreeMap<String, String>,
}

/// One request with its response.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The request.
    #[serde(default)]
    pub request: Request,
    /// The response, as [`crate::opa::Caller::check`] gives it.
    #[serde(default)]
    pub want: Value,
    /// Why the plugin that is used as the oracle answers otherwise; then they are not compared.
    #[serde(default)]
    pub differs: Option<String>,
    /// Gatehouse without `strict` denies what the plugin lets pass.
    #[serde(default)]
    pub denied_by_default: bool,
}

/// A check request in short.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    id: String,
    method: String,
    path: String,
    host: String,
    scheme: String,
    query: String,
    fragment: String,
    protocol: String,
    size: i64,
    headers: BTreeMap<String, String>,
    header_map: Vec<(String, String)>,
    body: String,
    raw_body: String,
    /// A body in base64.
    raw_body_base64: String,
    time: Option<(i64, i32)>,
    source: Option<Side>,
    destination: Option<Side>,
    context_extensions: BTreeMap<String, String>,
    metadata: Option<BTreeMap<String, Map<String, Value>>>,
    route_metadata: Option<BTreeMap<String, Map<String, Value>>>,
    sni: Option<String>,
    /// No `attributes.request` at all.
    bare: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Side {
    address: Option<String>,
    port: Option<u32>,
    pipe: Option<String>,
    service: String,
    principal: String,
    certificate: String,
    labels: BTreeMap<String, String>,
}

/// All files, in the order of their names.
///
/// # Errors
/// When one cannot be read.
pub fn case_files() -> anyhow::Result<Vec<(PathBuf, CaseFile)>> {
    files(&repository().join("tests/cases/opa-envoy"))
}

/// Policies without cases: every request of every case is put to them.
///
/// # Errors
/// When one cannot be read.
pub fn corpus_files() -> anyhow::Result<Vec<(PathBuf, CaseFile)>> {
    files(&repository().join("tests/cases/opa-envoy/corpus"))
}

fn files(folder: &Path) -> anyhow::Result<Vec<(PathBuf, CaseFile)>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.sort();
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path)?;
            let file = serde_saphyr::from_str(&text).with_context(|| format!("{}", path.display()))?;
            Ok((path, file))
        })
        .collect()
}

impl Request {
    /// The message that Envoy would send.
    ///
    /// # Errors
    /// When the base64 is none.
    pub fn message(&self) -> anyhow::Result<CheckRequest> {
        let raw_body = match self.raw_body_base64.as_str() {
            "" => self.raw_body.clone().into_bytes(),
            text => base64::engine::general_purpose::STANDARD.decode(text).context("raw_body_base64")?,
        };
        let header = |(key, value): &(String, String)| core::HeaderValue {
            key: key.clone(),
            raw_value: value.clone().into_bytes(),
            ..Default::default()
        };
        let http = HttpRequest {
            id: self.id.clone(),
            method: self.method.clone(),
            headers: self.headers.clone().into_iter().collect(),
            header_map: (!self.header_map.is_empty())
                .then(|| core::HeaderMap { headers: self.header_map.iter().map(header).collect() }),
            path: self.path.clone(),
            host: self.host.clone(),
            scheme: self.scheme.clone(),
            query: self.query.clone(),
            fragment: self.fragment.clone(),
            size: self.size,
            protocol: self.protocol.clone(),
            body: self.body.clone(),
            raw_body,
        };
        let time = self.time.map(|(seconds, nanos)| protobuf::Timestamp { seconds, nanos });
        let attributes = AttributeContext {
            source: self.source.as_ref().map(Side::peer),
            destination: self.destination.as_ref().map(Side::peer),
            request: (!self.bare).then_some(AttributeRequest { time, http: Some(http) }),
            context_extensions: self.context_extensions.clone().into_iter().collect(),
            metadata_context: self.metadata.as_ref().map(metadata),
            route_metadata_context: self.route_metadata.as_ref().map(metadata),
            tls_session: self.sni.as_ref().map(|sni| TlsSession { sni: sni.clone() }),
        };
        Ok(CheckRequest { attributes: Some(attributes) })
    }
}

impl Side {
    fn peer(&self) -> Peer {
        let address = match (&self.address, &self.pipe) {
            (Some(address), _) => Some(core::address::Address::SocketAddress(core::SocketAddress {
                address: address.clone(),
                port_specifier: self.port.map(core::socket_address::PortSpecifier::PortValue),
                ..Default::default()
            })),
            (None, Some(path)) => Some(core::address::Address::Pipe(core::Pipe { path: path.clone(), mode: 0 })),
            (None, None) => None,
        };
        Peer {
            address: address.map(|address| core::Address { address: Some(address) }),
            service: self.service.clone(),
            labels: self.labels.clone().into_iter().collect(),
            principal: self.principal.clone(),
            certificate: self.certificate.clone(),
        }
    }
}

fn metadata(namespaces: &BTreeMap<String, Map<String, Value>>) -> core::Metadata {
    let filter_metadata = namespaces.iter().map(|(name, fields)| (name.clone(), structure(fields))).collect();
    core::Metadata { filter_metadata, ..Default::default() }
}

fn structure(fields: &Map<String, Value>) -> protobuf::Struct {
    protobuf::Struct { fields: fields.iter().map(|(name, value)| (name.clone(), proto(value))).collect() }
}

fn proto(value: &Value) -> protobuf::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(list) => Kind::ListValue(protobuf::ListValue { values: list.iter().map(proto).collect() }),
        Value::Object(fields) => Kind::StructValue(structure(fields)),
    };
    protobuf::Value { kind: Some(kind) }
}
