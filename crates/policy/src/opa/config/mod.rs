//! OPA's own configuration file, as it is.
//!
//! Keys that mean nothing here are left alone, as OPA does; those that would change what is decided or how it is fetched, and
//! cannot be served, are problems.

mod overlay;
mod plugin;
mod service;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use overlay::{Overlay, OverlayError};
pub use plugin::{PluginAddress, PluginConfig};
pub use service::{Bearer, ClientTls, Credentials, Service, ServiceTls};

/// The parts of OPA's configuration that are served.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct OpaConfig {
    /// Where bundles come from and logs go, by name.
    #[serde(deserialize_with = "service::named")]
    pub services: BTreeMap<String, Service>,
    /// Told in decision logs and status.
    pub labels: BTreeMap<String, String>,
    /// Bundles by name.
    pub bundles: BTreeMap<String, Bundle>,
    /// Keys that bundles are signed with, by id.
    pub keys: BTreeMap<String, Key>,
    /// Decision logs; none when absent.
    pub decision_logs: Option<DecisionLogs>,
    /// Status reports; none when absent.
    pub status: Option<Status>,
    /// A bundle that holds the rest of the configuration.
    pub discovery: Option<Discovery>,
    /// Where bundles are kept; `.opa` in the working folder when absent.
    pub persistence_directory: Option<String>,
    /// Plugins; only `envoy_ext_authz_grpc` is served.
    pub plugins: Plugins,
}

/// `plugins`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Plugins {
    /// opa-envoy-plugin.
    pub envoy_ext_authz_grpc: Option<PluginConfig>,
    /// Others, which are not served.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// One of `bundles`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Bundle {
    /// The service it comes from; the only one when absent.
    pub service: Option<String>,
    /// Its path there, `bundles/<name>` when absent; or a whole `file://` or `https://` address.
    pub resource: Option<String>,
    /// Whether it is kept on disk.
    pub persist: bool,
    /// How often it is asked for.
    pub polling: Polling,
    /// How its signature is checked; it must not be signed when absent.
    pub signing: Option<Signing>,
    /// The largest file in it.
    pub size_limit_bytes: Option<u64>,
    /// `periodic`; nothing else is served.
    pub trigger: Option<String>,
}

/// `polling`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Polling {
    /// Seconds, 60 when absent.
    pub min_delay_seconds: Option<u64>,
    /// Seconds, 120 when absent.
    pub max_delay_seconds: Option<u64>,
    /// How long the service may hold a request back until there is news.
    pub long_polling_timeout_seconds: Option<u64>,
}

/// `signing` of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Signing {
    /// One of `keys`.
    pub keyid: Option<String>,
    /// What the signature must be for.
    pub scope: Option<String>,
    /// Files that need not be signed.
    pub exclude_files: Vec<String>,
}

/// One of `keys`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Key {
    /// JOSE algorithm, RS256 when absent.
    pub algorithm: Option<String>,
    /// PEM of a public key or certificate, or a shared secret.
    pub key: String,
    /// What signatures must be for.
    pub scope: Option<String>,
}

/// `decision_logs`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DecisionLogs {
    /// The service they are sent to; none, or the only one, when absent.
    pub service: Option<String>,
    /// Path at the service, `logs` when absent.
    pub resource: Option<String>,
    /// Appended to `logs`.
    pub partition_name: Option<String>,
    /// Write each decision to the log of the process, too.
    pub console: bool,
    /// When and how much.
    pub reporting: Reporting,
    /// Rule that masks, `/system/log/mask` when absent.
    pub mask_decision: Option<String>,
    /// Rule that drops, `/system/log/drop` when absent.
    pub drop_decision: Option<String>,
}

/// `decision_logs.reporting`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Reporting {
    /// Compressed bytes of one upload, 32768 when absent.
    pub upload_size_limit_bytes: Option<u64>,
    /// Bytes that may wait, 256 MiB when absent.
    pub buffer_size_limit_bytes: Option<u64>,
    /// Seconds, 300 when absent.
    pub min_delay_seconds: Option<u64>,
    /// Seconds, 600 when absent.
    pub max_delay_seconds: Option<u64>,
    /// Further decisions in a second are counted and not logged.
    pub max_decisions_per_second: Option<f64>,
}

/// `status`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The service it is sent to.
    pub service: Option<String>,
    /// Appended to `status`.
    pub partition_name: Option<String>,
    /// Write it to the log of the process, too.
    pub console: bool,
}

/// `discovery`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Discovery {
    /// The service it comes from.
    pub service: Option<String>,
    /// Its path there.
    pub resource: Option<String>,
    /// Where in `data` the configuration is; all of it when absent.
    pub decision: Option<String>,
    /// How often it is asked for.
    pub polling: Polling,
    /// How its signature is checked.
    pub signing: Option<Signing>,
    /// Whether it is kept on disk.
    pub persist: bool,
}

impl OpaConfig {
    /// The configuration in `file`, if any, with `overlays` in their order. Gives the document, too, for [`OpaConfig::discovered`].
    ///
    /// # Errors
    /// Every problem, each saying where it is.
    pub fn load(file: Option<&Path>, overlays: &[Overlay]) -> Result<(Self, Value), Vec<String>> {
        let mut document = match file {
            None => Value::Object(Map::new()),
            Some(path) => read(path).map_err(|error| vec![format!("{}: {error}", path.display())])?,
        };
        for overlay in overlays {
            overlay.apply(&mut document).map_err(|error| vec![error.to_string()])?;
        }
        let config = Self::from_document(&document)?;
        Ok((config, document))
    }

    /// A document with what a discovery bundle says: the boot configuration wins, its `discovery` section and the service of that
    /// section do not change.
    ///
    /// # Errors
    /// Every problem of the result.
    pub fn discovered(boot: &Value, found: &Value) -> Result<Self, Vec<String>> {
        let mut document = found.clone();
        merge(&mut document, boot);
        Self::from_document(&document)
    }

    fn from_document(document: &Value) -> Result<Self, Vec<String>> {
        let config: Self = serde_path_to_error::deserialize(document)
            .map_err(|error| vec![format!("{}: {}", error.path(), error.inner())])?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// The service of that name, or the only one.
    pub fn service(&self, name: Option<&str>) -> Option<(&str, &Service)> {
        match name {
            Some(name) => self.services.get_key_value(name),
            None if self.services.len() == 1 => self.services.first_key_value(),
            None => None,
        }
        .map(|(name, service)| (name.as_str(), service))
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, service) in &self.services {
            problems.extend(service.problems().into_iter().map(|problem| format!("services.{name}: {problem}")));
        }
        for (name, bundle) in &self.bundles {
            let is_address = bundle.resource.as_deref().is_some_and(|r| r.contains("://"));
            if !is_address && self.service(bundle.service.as_deref()).is_none() {
                problems.push(format!("bundles.{name}: {}", no_service(bundle.service.as_deref())));
            }
            problems.extend(
                self.signing_problem(bundle.signing.as_ref()).map(|problem| format!("bundles.{name}.{problem}")),
            );
            if bundle.trigger.as_deref().is_some_and(|trigger| trigger != "periodic") {
                problems.push(format!("bundles.{name}.trigger: only `periodic` is served"));
            }
            let Polling { min_delay_seconds: min, max_delay_seconds: max, .. } = bundle.polling;
            match (min, max) {
                (Some(min), Some(max)) if max < min => {
                    problems
                        .push(format!("bundles.{name}.polling: max_delay_seconds must be at least min_delay_seconds"));
                }
                (Some(_), None) | (None, Some(_)) => {
                    problems.push(format!(
                        "bundles.{name}.polling: set both of min_delay_seconds and max_delay_seconds, or none"
                    ));
                }
                _ => {}
            }
        }
        if let Some(logs) = &self.decision_logs
            && logs.service.is_some()
            && self.service(logs.service.as_deref()).is_none()
        {
            problems.push(format!("decision_logs: {}", no_service(logs.service.as_deref())));
        }
        if let Some(status) = &self.status
            && status.service.is_some()
            && self.service(status.service.as_deref()).is_none()
        {
            problems.push(format!("status: {}", no_service(status.service.as_deref())));
        }
        if let Some(discovery) = &self.discovery {
            if self.service(discovery.service.as_deref()).is_none() {
                problems.push(format!("discovery: {}", no_service(discovery.service.as_deref())));
            }
            problems
                .extend(self.signing_problem(discovery.signing.as_ref()).map(|problem| format!("discovery.{problem}")));
        }
        for name in self.plugins.others.keys() {
            problems.push(format!("plugins.{name}: no such plugin; envoy_ext_authz_grpc is the one that is served"));
        }
        if let Some(plugin) = &self.plugins.envoy_ext_authz_grpc {
            problems.extend(
                plugin.problems().into_iter().map(|problem| format!("plugins.envoy_ext_authz_grpc: {problem}")),
            );
        }
        problems
    }

    fn signing_problem(&self, signing: Option<&Signing>) -> Option<String> {
        let keyid = signing?.keyid.as_deref()?;
        (!self.keys.contains_key(keyid)).then(|| format!("signing.keyid: `{keyid}` is none of `keys`"))
    }
}

fn no_service(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("service `{name}` is none of `services`"),
        None => "say which of `services` with `service`".to_owned(),
    }
}

/// Environment variables as `${NAME}` are put in before the YAML is read, as OPA does.
fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let text = overlay::with_environment(&text, |name| std::env::var(name).ok());
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let document: Value = serde_saphyr::from_str(&text).map_err(|error| error.to_string())?;
    match document {
        Value::Object(_) => Ok(document),
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("the configuration must be a mapping".to_owned())
        }
    }
}

/// `winner` over `document`, objects key by key.
fn merge(document: &mut Value, winner: &Value) {
    match (document, winner) {
        (Value::Object(document), Value::Object(winner)) => {
            for (key, value) in winner {
                merge(document.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (document, winner) => *document = winner.clone(),
    }
}
