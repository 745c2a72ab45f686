//! `services`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Where bundles come from and logs go.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The address that resources are relative to.
    pub url: String,
    /// Further headers of every request.
    pub headers: BTreeMap<String, String>,
    /// How long an answer may take to begin, 10 when absent.
    pub response_header_timeout_seconds: Option<u64>,
    /// How to authenticate.
    pub credentials: Credentials,
    /// How the service is known.
    pub tls: Option<ServiceTls>,
    /// Refused: whoever stands on the way of a bundle decides.
    pub allow_insecure_tls: bool,
}

/// `credentials`; at most one kind.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// A token.
    pub bearer: Option<Bearer>,
    /// A client certificate.
    pub client_tls: Option<ClientTls>,
    /// Kinds that are not served.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// `credentials.bearer`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Bearer {
    /// The token.
    pub token: String,
    /// A file that holds it, read anew for every request.
    pub token_path: String,
    /// `Bearer` when absent.
    pub scheme: Option<String>,
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bearer").field("token_path", &self.token_path).finish_non_exhaustive()
    }
}

/// `credentials.client_tls`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClientTls {
    /// PEM file of the certificate.
    pub cert: String,
    /// PEM file of its key.
    pub private_key: String,
}

/// `tls`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceTls {
    /// PEM file of authorities; the system's are not believed then.
    pub ca_cert: String,
    /// Unless this is set.
    pub system_ca_required: bool,
}

impl Service {
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if url::Url::parse(&self.url).is_err() {
            problems.push(format!("url: {:?} is no address", self.url));
        }
        if self.allow_insecure_tls {
            problems.push(
                "allow_insecure_tls is not served: whoever stands on the way could put in any policy; name the authority in tls.ca_cert"
                    .to_owned(),
            );
        }
        for kind in self.credentials.others.keys() {
            problems.push(format!("credentials.{kind} is not served; bearer and client_tls are"));
        }
        problems
    }
}

/// An object by name, or a list whose items have a `name`.
pub(super) fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Service>, D::Error> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
        #[serde(flatten)]
        service: Service,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Map(BTreeMap<String, Service>),
        List(Vec<Named>),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        None => BTreeMap::new(),
        Some(Either::Map(map)) => map,
        Some(Either::List(list)) => list.into_iter().map(|one| (one.name, one.service)).collect(),
    })
}
