//! Whom policies may ask.

use config::{Path, Period, Problems, Size};
use net::Plaintext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `http.send` in policies. Off unless hosts are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSendConfig {
    /// Hosts that may be asked: `api.example.com`, `*.example.com`, either with `:port`. Everything else is refused, and so is
    /// every redirect that leads elsewhere.
    pub hosts: Vec<String>,
    /// The longest that one request may take, whatever the policy asks for. The check's own deadline ends it earlier.
    pub timeout: Period,
    /// The largest body of an answer.
    pub max_response: Size,
    /// The most memory that kept answers may take.
    pub cache: Size,
    /// Clear text to other machines: `refuse` or `accept`.
    pub plaintext: Plaintext,
}

impl Default for HttpSendConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            timeout: Period::secs(5),
            max_response: Size(1 << 20),
            cache: Size(16 << 20),
            plaintext: Plaintext::Refuse,
        }
    }
}

impl HttpSendConfig {
    /// Reports hosts that are none.
    pub(crate) fn check(&self, at: &Path, problems: &mut Problems) {
        for (i, host) in self.hosts.iter().enumerate() {
            if !is_host_pattern(host) {
                let text = format!("`{host}` is no host: write api.example.com, *.example.com or api.example.com:8443");
                problems.error(&at.key("hosts").index(i), text);
            }
        }
        if self.timeout.0.is_zero() {
            problems.error(&at.key("timeout"), "must be more than zero");
        }
    }

    /// Whether a host may be asked.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|pattern| {
            let (name, wanted) = match pattern.rsplit_once(':') {
                Some((name, wanted)) if !name.ends_with(':') && wanted.bytes().all(|b| b.is_ascii_digit()) => {
                    (name, Some(wanted))
                }
                _ => (pattern.as_str(), None),
            };
            let port_fits = wanted.is_none_or(|wanted| wanted.parse() == Ok(port));
            let name_fits = match name.strip_prefix("*.") {
                Some(suffix) => {
                    let before = host.len().checked_sub(suffix.len() + 1);
                    before.filter(|at| *at > 0).is_some_and(|at| {
                        host.get(at..).is_some_and(|end| {
                            end.strip_prefix('.').is_some_and(|end| end.eq_ignore_ascii_case(suffix))
                        })
                    })
                }
                None => host.eq_ignore_ascii_case(name),
            };
            port_fits && name_fits
        })
    }
}

fn is_host_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    !name.is_empty() && !name.contains(['*', '/', '@', ' ', '?', '#']) && !text.contains("://")
}
