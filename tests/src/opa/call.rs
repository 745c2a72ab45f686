//! A caller of the check service that shows responses as data.

use anyhow::Context as _;
use bytes::{BufMut as _, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, check_response::HttpResponse};
use envoy_types::pb::google::protobuf::{self, value::Kind};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

/// A connection.
pub struct Caller(hyper::client::conn::http2::SendRequest<Full<Bytes>>);

impl Caller {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Asks, and gives the response in this form; what is absent or empty is left out:
    ///
    /// ```yaml
    /// code: 0                     # status.code
    /// message: …                  # status.message
    /// ok: { headers: [[k, v]], remove: […], response_headers: …, query_set: …, query_remove: … }
    /// denied: { status: 403, headers: …, body: … }
    /// metadata: { … }             # decision_id shows as true
    /// grpc: { code: 2, message: … }
    /// ```
    ///
    /// The order of lists does not count, so they are sorted. A header `input` is shown as the JSON that it holds.
    ///
    /// # Errors
    /// When there is no answer at all.
    pub async fn check(&mut self, message: &[u8]) -> anyhow::Result<Value> {
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len())?);
        framed.extend_from_slice(message);
        let request = http::Request::post("http://opa/envoy.service.auth.v3.Authorization/Check")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "5S")
            .body(Full::new(framed.freeze()))?;
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let headers = response.headers().clone();
        let collected = response.into_body().collect().await?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let find = |name: &str| headers.get(name).or_else(|| trailers.get(name)).and_then(|v| v.to_str().ok());
        let code: i64 = find("grpc-status").context("no grpc-status")?.parse()?;
        if code != 0 {
            let text = find("grpc-message").unwrap_or_default();
            let message = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
            return Ok(json!({ "grpc": { "code": code, "message": message } }));
        }
        let mut payload = collected.to_bytes();
        let message = payload.split_off(payload.len().min(5));
        Ok(shown(&CheckResponse::decode(message).context("the answer is no CheckResponse")?))
    }
}

fn shown(response: &CheckResponse) -> Value {
    let status = response.status.clone().unwrap_or_default();
    let mut map = Map::new();
    map.insert("code".to_owned(), Value::from(status.code));
    put(&mut map, "message", Value::from(status.message));
    match &response.http_response {
        None => {}
        Some(HttpResponse::OkResponse(ok)) => {
            let mut fields = Map::new();
            put(&mut fields, "headers", pairs(&ok.headers));
            put(&mut fields, "remove", sorted(ok.headers_to_remove.iter().map(|n| Value::from(n.as_str())).collect()));
            put(&mut fields, "response_headers", pairs(&ok.response_headers_to_add));
            let set = ok.query_parameters_to_set.iter().map(|p| json!([p.key, p.value])).collect();
            put(&mut fields, "query_set", sorted(set));
            let remove = ok.query_parameters_to_remove.iter().map(|n| Value::from(n.as_str())).collect();
            put(&mut fields, "query_remove", sorted(remove));
            map.insert("ok".to_owned(), Value::Object(fields));
        }
        Some(HttpResponse::DeniedResponse(denied)) => {
            map.insert("denied".to_owned(), refusal(denied));
        }
        Some(HttpResponse::ErrorResponse(error)) => {
            map.insert("error".to_owned(), refusal(error));
        }
    }
    let mut metadata = response.dynamic_metadata.as_ref().map(fields).unwrap_or_default();
    if metadata.get("decision_id").is_some_and(|id| id.as_str().is_some_and(|id| id.len() == 36)) {
        metadata.insert("decision_id".to_owned(), Value::from(true));
    }
    put(&mut map, "metadata", Value::Object(metadata));
    Value::Object(map)
}

fn refusal(denied: &envoy_types::pb::envoy::service::auth::v3::DeniedHttpResponse) -> Value {
    let mut map = Map::new();
    map.insert("status".to_owned(), Value::from(denied.status.as_ref().map_or(0, |status| status.code)));
    put(&mut map, "headers", pairs(&denied.headers));
    put(&mut map, "body", Value::from(denied.body.as_str()));
    Value::Object(map)
}

fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    let empty = match &value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
    };
    if !empty {
        map.insert(key.to_owned(), value);
    }
}

fn pairs(headers: &[HeaderValueOption]) -> Value {
    let pair = |option: &HeaderValueOption| {
        let header = option.header.clone().unwrap_or_default();
        let value = match header.key.as_str() {
            "input" => serde_json::from_str(&header.value).unwrap_or(Value::from(header.value)),
            _ => Value::from(header.value),
        };
        json!([header.key, value])
    };
    sorted(headers.iter().map(pair).collect())
}

fn sorted(mut list: Vec<Value>) -> Value {
    list.sort_by_key(Value::to_string);
    Value::Array(list)
}

fn fields(of: &protobuf::Struct) -> Map<String, Value> {
    of.fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn plain(value: &protobuf::Value) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::from(*value),
        Some(Kind::NumberValue(number)) => Value::from(*number),
        Some(Kind::StringValue(text)) => Value::from(text.as_str()),
        Some(Kind::ListValue(list)) => list.values.iter().map(plain).collect(),
        Some(Kind::StructValue(of)) => Value::Object(fields(of)),
    }
}
