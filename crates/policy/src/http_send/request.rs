//! The object that a policy gives to `http.send`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use regorus::Value;

/// What is to be sent, and what becomes of the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) timeout: Option<Duration>,
    pub(super) redirects: bool,
    pub(super) retries: u32,
    pub(super) raise_error: bool,
    pub(super) force_json: bool,
    pub(super) force_yaml: bool,
    pub(super) cache: bool,
    pub(super) force_cache: Option<Duration>,
    pub(super) tls: Tls,
    /// Names equal requests: everything but the headers that `cache_ignored_headers` names.
    pub(super) key: String,
}

/// PEM of authorities and of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Tls {
    pub(super) authorities: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) private_key: Option<String>,
}

const MAX_RETRIES: u64 = 10;
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Request {
    pub(super) fn read(value: &Value) -> Result<Self> {
        let Value::Object(object) = value else { bail!("the request is no object") };
        let mut request = Self { raise_error: true, ..Self::default() };
        let (mut force_cache, mut duration) = (false, None);
        let mut ignored = Vec::new();
        for (key, value) in object.iter() {
            let Value::String(key) = key else { bail!("a key that is no text") };
            match key.as_ref() {
                "method" => request.method = text(key, value)?.to_ascii_uppercase(),
                "url" => request.url = text(key, value)?,
                "headers" => request.headers = headers(value)?,
                "body" => request.body = serde_json::to_vec(value).context("body")?.into(),
                "raw_body" => request.body = text(key, value)?.into(),
                "timeout" => request.timeout = Some(timeout(value)?),
                "enable_redirect" => request.redirects = boolean(key, value)?,
                "max_retry_attempts" => {
                    let times = value.as_u64().ok().context("max_retry_attempts is no number")?;
                    request.retries = u32::try_from(times.min(MAX_RETRIES))?;
                }
                "raise_error" => request.raise_error = boolean(key, value)?,
                "force_json_decode" => request.force_json = boolean(key, value)?,
                "force_yaml_decode" => request.force_yaml = boolean(key, value)?,
                "cache" => request.cache = boolean(key, value)?,
                "force_cache" => force_cache = boolean(key, value)?,
                "force_cache_duration_seconds" => {
                    let seconds = value.as_u64().ok().context("force_cache_duration_seconds is no number")?;
                    duration = Some(Duration::from_secs(seconds));
                }
                "caching_mode" => match text(key, value)?.as_str() {
                    "serialized" | "deserialized" => {}
                    mode => bail!("caching_mode: {mode} is not known"),
                },
                "cache_ignored_headers" => ignored = texts(key, value)?,
                "tls_ca_cert" => request.tls.authorities = Some(text(key, value)?),
                "tls_client_cert" => request.tls.certificate = Some(text(key, value)?),
                "tls_client_key" => request.tls.private_key = Some(text(key, value)?),
                "tls_ca_cert_file" => request.tls.authorities = Some(file(key, value)?),
                "tls_client_cert_file" => request.tls.certificate = Some(file(key, value)?),
                "tls_client_key_file" => request.tls.private_key = Some(file(key, value)?),
                "tls_ca_cert_env_variable" => request.tls.authorities = Some(variable(key, value)?),
                "tls_client_cert_env_variable" => request.tls.certificate = Some(variable(key, value)?),
                "tls_client_key_env_variable" => request.tls.private_key = Some(variable(key, value)?),
                // The system's authorities are always believed; `tls_ca_cert` adds to them.
                "tls_use_system_certs" => drop(boolean(key, value)?),
                "tls_insecure_skip_verify" if !boolean(key, value)? => {}
                "tls_insecure_skip_verify" => {
                    bail!("tls_insecure_skip_verify is not served: name the authority in tls_ca_cert")
                }
                "tls_server_name" => bail!("tls_server_name is not served: the name in the address is checked"),
                other => bail!("invalid request parameter {other}"),
            }
        }
        if request.url.is_empty() || request.method.is_empty() {
            bail!("missing required request parameters: method and url");
        }
        if !METHODS.contains(&request.method.as_str()) {
            bail!("the method {} is not served", request.method);
        }
        if force_cache {
            request.force_cache = Some(duration.context("force_cache needs force_cache_duration_seconds")?);
        }
        request.key = request.key_without(&ignored);
        Ok(request)
    }

    fn key_without(&self, ignored: &[String]) -> String {
        let counted: BTreeMap<String, &str> = self
            .headers
            .iter()
            .filter(|(name, _)| !ignored.iter().any(|i| i.eq_ignore_ascii_case(name)))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
            .collect();
        // Debug output quotes, so that no two requests share a key.
        format!("{:?}", (&self.method, &self.url, counted, &self.body, &self.tls, self.redirects))
    }
}

fn text(key: &str, value: &Value) -> Result<String> {
    let Value::String(text) = value else { bail!("{key} is no text") };
    Ok(text.to_string())
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>> {
    let Value::Array(list) = value else { bail!("{key} is no array of texts") };
    list.iter().map(|item| text(key, item)).collect()
}

fn boolean(key: &str, value: &Value) -> Result<bool> {
    let Value::Bool(value) = value else { bail!("{key} is neither true nor false") };
    Ok(*value)
}

fn headers(value: &Value) -> Result<Vec<(String, String)>> {
    let Value::Object(object) = value else { bail!("headers is no object") };
    object.iter_sorted().map(|(name, value)| Ok((text("headers", name)?, text("headers", value)?))).collect()
}

/// Nanoseconds, or a duration such as `"500ms"`.
fn timeout(value: &Value) -> Result<Duration> {
    if let Ok(nanoseconds) = value.as_u64() {
        return Ok(Duration::from_nanos(nanoseconds));
    }
    let nanoseconds = crate::builtins::duration_ns(value)?;
    u64::try_from(nanoseconds).map(Duration::from_nanos).context("timeout is negative")
}

/// Files that a policy names hold keys and certificates.
fn file(key: &str, value: &Value) -> Result<String> {
    let path = text(key, value)?;
    std::fs::read_to_string(&path).with_context(|| format!("{key}: cannot read {path}"))
}

fn variable(key: &str, value: &Value) -> Result<String> {
    let name = text(key, value)?;
    std::env::var(&name).with_context(|| format!("{key}: there is no variable {name}"))
}
