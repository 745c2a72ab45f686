//! `plugins.envoy_ext_authz_grpc`.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::http_send::HttpSendConfig;

/// The section of opa-envoy-plugin, with two keys of ours: `strict` and `http-send`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct PluginConfig {
    /// Where to listen.
    pub addr: String,
    /// The decision, `envoy/authz/allow` when neither this nor `query` is set.
    pub path: Option<String>,
    /// The decision as a reference, `data.envoy.authz.allow`; deprecated.
    pub query: Option<String>,
    /// Answer yes whatever the policy says.
    #[serde(rename = "dry-run", deserialize_with = "boolean")]
    pub dry_run: bool,
    /// Serve gRPC reflection.
    #[serde(rename = "enable-reflection", deserialize_with = "boolean")]
    pub enable_reflection: bool,
    /// File of a binary `FileDescriptorSet`.
    #[serde(rename = "proto-descriptor")]
    pub proto_descriptor: String,
    /// The largest check.
    #[serde(rename = "grpc-max-recv-msg-size", deserialize_with = "integer")]
    pub grpc_max_recv_msg_size: i64,
    /// The longest answer.
    #[serde(rename = "grpc-max-send-msg-size", deserialize_with = "integer")]
    pub grpc_max_send_msg_size: i64,
    /// Leave out `parsed_body` and `truncated_body`.
    #[serde(rename = "skip-request-body-parse", deserialize_with = "boolean")]
    pub skip_request_body_parse: bool,
    /// Count and time checks.
    #[serde(rename = "enable-performance-metrics", deserialize_with = "boolean")]
    pub enable_performance_metrics: bool,
    /// Buckets of the histogram of times, in seconds.
    #[serde(rename = "grpc-request-duration-seconds-buckets")]
    pub buckets: Vec<f64>,
    /// Ours: whom policies may ask with `http.send`.
    #[serde(rename = "http-send")]
    pub http_send: HttpSendConfig,
    /// Ours: answer byte for byte as the plugin, where the safe default differs.
    #[serde(deserialize_with = "boolean")]
    pub strict: bool,
}

impl Default for PluginConfig {
    fn default() -> Self {
        Self {
            addr: ":9191".to_owned(),
            path: None,
            query: None,
            dry_run: false,
            enable_reflection: false,
            proto_descriptor: String::new(),
            grpc_max_recv_msg_size: 4 << 20,
            grpc_max_send_msg_size: i64::from(i32::MAX),
            skip_request_body_parse: false,
            enable_performance_metrics: false,
            buckets: vec![1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 3e-3, 5e-3, 0.1, 1.0],
            http_send: HttpSendConfig::default(),
            strict: false,
        }
    }
}

/// Where the plugin listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginAddress {
    /// `host:port`; an empty host is every address of the machine.
    Tcp(String),
    /// A socket file.
    Unix(PathBuf),
    /// A name in Linux' abstract namespace.
    Abstract(String),
}

impl PluginConfig {
    /// Where to listen.
    ///
    /// # Errors
    /// A scheme that the plugin does not know.
    pub fn address(&self) -> Result<PluginAddress, String> {
        match self.addr.split_once("://") {
            None => Ok(PluginAddress::Tcp(self.addr.clone())),
            Some(("grpc", address)) => Ok(PluginAddress::Tcp(address.to_owned())),
            Some(("unix", path)) => Ok(match path.strip_prefix('@') {
                Some(name) => PluginAddress::Abstract(name.to_owned()),
                None => PluginAddress::Unix(path.into()),
            }),
            Some((scheme, _)) => Err(format!("addr: invalid url scheme {scheme:?}")),
        }
    }

    /// The path of the decision as it is written in logs.
    pub fn decision(&self) -> &str {
        self.path.as_deref().or(self.query.as_deref()).unwrap_or("envoy/authz/allow")
    }

    /// The path of the decision below `data`.
    ///
    /// # Errors
    /// A `query` that is more than a reference.
    pub fn decision_path(&self) -> Result<Vec<String>, String> {
        match (&self.path, &self.query) {
            (None, Some(query)) => {
                crate::set::rule_path(query).map(|path| path.into_iter().skip(1).collect()).ok_or_else(|| {
                    format!("query: `{query}` is more than a reference such as data.envoy.authz.allow; use `path`")
                })
            }
            _ => Ok(self.decision().split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()),
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.path.is_some() && self.query.is_some() {
            problems.push("invalid config: specify a value for only the \"path\" field".to_owned());
        }
        let mut found = config::Problems::new();
        self.http_send.check(&config::Path::root().key("http-send"), &mut found);
        problems.extend(found.iter().map(|problem| format!("{}: {}", problem.path, problem.message)));
        problems.extend(self.address().err());
        problems.extend(self.decision_path().err());
        if !(1..=256 << 20).contains(&self.grpc_max_recv_msg_size) {
            problems.push("grpc-max-recv-msg-size: must be from 1 to 268435456".to_owned());
        }
        if self.grpc_max_send_msg_size < 1 {
            problems.push("grpc-max-send-msg-size: must be 1 or more".to_owned());
        }
        problems
    }
}

/// A boolean, also as text: `--set` and environment variables give texts.
fn boolean<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(value) => Ok(value),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        Value::Null => Ok(false),
        other @ (Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            Err(serde::de::Error::custom(format!("expected true or false, found {other}")))
        }
    }
}

fn integer<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| serde::de::Error::custom(format!("expected a whole number, found {value}")))
}
