//! An answer as a policy sees it.

use bytes::Bytes;
use regorus::Value;
use serde_json::{Map, Value as Json, json};

use super::request::Request;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Response {
    /// The object with `status`, `status_code`, `headers`, `body` and `raw_body`.
    pub(super) fn value(&self, request: &Request) -> Result<Value, String> {
        let mut headers: Map<String, Json> = Map::new();
        for (name, value) in &self.headers {
            if let Json::Array(values) = headers.entry(name.to_ascii_lowercase()).or_insert_with(|| json!([])) {
                values.push(Json::from(value.as_str()));
            }
        }
        let raw = String::from_utf8_lossy(&self.body);
        let reason = http_status_text(self.status);
        Ok(Value::from(json!({
            "status": format!("{} {reason}", self.status),
            "status_code": self.status,
            "headers": headers,
            "body": self.parsed(request, &raw)?,
            "raw_body": raw,
        })))
    }

    fn parsed(&self, request: &Request, raw: &str) -> Result<Json, String> {
        let kind = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind = kind.map_or("", |(_, value)| value.as_str());
        let is_json = kind.contains("application/json") || kind.contains("+json");
        let is_yaml = ["application/x-yaml", "application/yaml", "text/yaml"].iter().any(|yaml| kind.contains(yaml));
        if request.force_json {
            return serde_json::from_str(raw).map_err(|error| format!("force_json_decode: {error}"));
        }
        if request.force_yaml {
            return serde_saphyr::from_str(raw).map_err(|error| format!("force_yaml_decode: {error}"));
        }
        // Anything else is there as text.
        let parsed = match (is_json, is_yaml) {
            (true, _) => serde_json::from_str(raw).ok(),
            (false, true) => serde_saphyr::from_str(raw).ok(),
            (false, false) => None,
        };
        Ok(parsed.unwrap_or(Json::Null))
    }
}

/// What a policy with `raise_error: false` sees of a request that failed.
pub(super) fn failed(message: &str) -> Value {
    Value::from(json!({
        "status_code": 0,
        "error": { "code": "eval_http_send_network_error", "message": message },
    }))
}

fn http_status_text(status: u16) -> &'static str {
    net::reason_phrase(status)
}
