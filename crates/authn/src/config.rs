//! The section `authn`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ::config::{Path, Period, Problems, SecretConfig, Size};
use crypto::jose::{Algorithm, Family, Jwk};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::authenticate::{Authenticator, Issuer};
use crate::keys::{KeyRing, KeySource};

/// Whose tokens are accepted, and how they are verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthnConfig {
    /// Issuers by the name under which routes refer to them.
    pub issuers: BTreeMap<String, IssuerConfig>,
    /// Room for verified tokens.
    pub token_cache: Size,
    /// How many failures a source may have.
    pub failures: FailureBudgetConfig,
    /// Further certificate authorities for fetching keys, in PEM.
    pub ca_file: Option<PathBuf>,
}

impl Default for AuthnConfig {
    fn default() -> Self {
        Self {
            issuers: BTreeMap::new(),
            token_cache: Size(8 * 1024 * 1024),
            failures: FailureBudgetConfig::default(),
            ca_file: None,
        }
    }
}

/// How many failed verifications one client address may cause before signatures are no longer checked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FailureBudgetConfig {
    /// Failures per period.
    pub failures: u32,
    /// The period.
    pub per: Period,
}

impl Default for FailureBudgetConfig {
    fn default() -> Self {
        Self { failures: 100, per: Period::secs(60) }
    }
}

/// An issuer of JWTs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerConfig {
    /// `iss`, exactly as in the tokens.
    pub issuer: String,
    /// A token names at least one of these in `aud`.
    pub audiences: Vec<String>,
    /// Accepted algorithms; HS* only when named here, together with `secret`.
    pub algorithms: Vec<Algorithm>,
    /// Where the public keys are.
    pub jwks: Option<JwksConfig>,
    /// The shared secret of HS256, HS384 and HS512.
    pub secret: Option<SecretConfig>,
    /// Where a request carries the token.
    pub token: TokenFrom,
    /// What claims mean.
    pub claims: ClaimsConfig,
    /// Accepted `typ`; a token without `typ` is accepted only when `jwt` is in the list.
    pub types: Vec<String>,
    /// Claims that have to be there.
    pub required_claims: Vec<String>,
    /// Tolerance for clocks that differ; at most 5m.
    pub leeway: Period,
    /// The longest token.
    pub max_token: Size,
    /// How often keys are fetched.
    pub refresh: Period,
    /// How long keys are used when fetching fails.
    pub max_staleness: Period,
    /// The shortest time between two fetches because of an unknown `kid`.
    pub min_refresh_interval: Period,
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            algorithms: vec![Algorithm::RS256, Algorithm::ES256],
            jwks: None,
            secret: None,
            token: TokenFrom::Authorization,
            claims: ClaimsConfig::default(),
            types: vec!["jwt".to_owned(), "at+jwt".to_owned()],
            required_claims: Vec::new(),
            leeway: Period::secs(60),
            max_token: Size(16 * 1024),
            refresh: Period::secs(600),
            max_staleness: Period::secs(24 * 3600),
            min_refresh_interval: Period::secs(10),
        }
    }
}

/// Where public keys are (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JwksConfig {
    /// An address; https, or http on this machine.
    Url(String),
    /// A file; read again when it changes.
    File(PathBuf),
}

/// Where a request carries its token. Never in the query, which ends up in logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenFrom {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    #[default]
    Authorization,
    /// A header that holds nothing else.
    Header(String),
    /// A cookie.
    Cookie(String),
}

/// What claims mean: dotted paths into the token, such as `realm_access.roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimsConfig {
    /// Who it is.
    pub subject: String,
    /// Scopes: text separated by spaces, or a list.
    pub scopes: String,
    /// Roles: a list, or text separated by spaces.
    pub roles: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The OAuth client; `client_id`, else `azp`, when absent.
    pub client: Option<String>,
    /// Further attributes of the principal, by the name they get.
    pub attributes: BTreeMap<String, String>,
}

impl Default for ClaimsConfig {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            scopes: "scope".to_owned(),
            roles: None,
            tenant: None,
            client: None,
            attributes: BTreeMap::new(),
        }
    }
}

/// A credential that a route accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MethodConfig {
    /// A JWT of this issuer.
    Jwt(String),
    /// No credential.
    Anonymous,
}

impl AuthnConfig {
    /// Takes relative file names as relative to `base`.
    pub fn resolve_paths(&mut self, base: &std::path::Path) {
        let files = self.issuers.values_mut().flat_map(|issuer| {
            let jwks = match &mut issuer.jwks {
                Some(JwksConfig::File(path)) => Some(path),
                _ => None,
            };
            let secret = match &mut issuer.secret {
                Some(SecretConfig::File(path)) => Some(path),
                _ => None,
            };
            [jwks, secret].into_iter().flatten()
        });
        for path in files.chain(&mut self.ca_file) {
            *path = base.join(&*path);
        }
    }

    /// The files that a change of makes a reload worthwhile.
    pub fn key_files(&self) -> Vec<PathBuf> {
        let secrets = self.issuers.values().filter_map(|issuer| match &issuer.secret {
            Some(SecretConfig::File(path)) => Some(path.clone()),
            _ => None,
        });
        secrets.collect()
    }

    /// Compiles the section. Keys are taken from the ring, which fetches what it does not have. All problems are collected.
    pub fn compile(&self, at: &Path, problems: &mut Problems, keys: &KeyRing) -> Option<Authenticator> {
        let mut fine = true;
        if self.failures.failures == 0 || self.failures.per.0.is_zero() {
            problems.error(&at.key("failures"), "at least one failure, in a period that is not zero");
            fine = false;
        }
        let mut issuers = BTreeMap::new();
        for (name, config) in &self.issuers {
            match config.compile(name, &at.key("issuers").key(name), problems, keys) {
                Some(issuer) => {
                    issuers.insert(name.clone(), Arc::new(issuer));
                }
                None => fine = false,
            }
        }
        fine.then(|| Authenticator::new(issuers, keys, self.token_cache, self.failures.clone()))
    }
}

impl IssuerConfig {
    fn compile(&self, name: &str, at: &Path, problems: &mut Problems, keys: &KeyRing) -> Option<Issuer> {
        let before = problems.len();
        self.check(at, problems);
        let secret = self.secret.as_ref().and_then(|secret| match secret.load() {
            Ok(bytes) if bytes.expose().len() < 32 => {
                problems.error(&at.key("secret"), "a secret has at least 32 bytes (RFC 7518 §3.2)");
                None
            }
            Ok(bytes) => Some(Arc::new(Jwk::secret(bytes.expose()))),
            Err(error) => {
                problems.error(&at.key("secret"), error.to_string());
                None
            }
        });
        if problems.len() > before {
            return None;
        }
        let source = match (&self.jwks, secret) {
            (Some(JwksConfig::Url(url)), _) => KeySource::Url(url.clone()),
            (Some(JwksConfig::File(path)), _) => KeySource::File(path.clone()),
            (None, Some(secret)) => KeySource::Fixed(secret),
            (None, None) => return None,
        };
        let cell = keys.cell(name, source, self).map_err(|message| problems.error(&at.key("jwks"), message)).ok()?;
        Some(Issuer { name: name.into(), config: self.clone(), cell, fingerprint: self.fingerprint(name) })
    }

    fn check(&self, at: &Path, problems: &mut Problems) {
        if self.issuer.is_empty() {
            problems.error(&at.key("issuer"), "missing: the `iss` of the tokens");
        }
        if self.audiences.is_empty() {
            problems.error(&at.key("audiences"), "missing: at least one value that `aud` has to name");
        }
        if self.algorithms.is_empty() {
            problems.error(&at.key("algorithms"), "at least one algorithm");
        }
        let shared = self.algorithms.iter().filter(|a| a.family() == Family::Secret).count();
        match (&self.jwks, &self.secret) {
            (None, None) => problems.error(&at.key("jwks"), "missing: write { url: … } or { file: … }"),
            (Some(_), Some(_)) => problems.error(&at.key("secret"), "write `jwks` or `secret`, not both"),
            (Some(_), None) if shared > 0 => {
                problems.error(&at.key("algorithms"), "HS* needs `secret`: public keys can never verify it");
            }
            (None, Some(_)) if shared < self.algorithms.len() => {
                problems.error(&at.key("algorithms"), "with `secret`, only HS256, HS384 and HS512");
            }
            _ => {}
        }
        if let Some(JwksConfig::Url(url)) = &self.jwks
            && let Err(error) = net::check_address(url)
        {
            problems.error(&at.key("jwks").key("url"), error.to_string());
        }
        if self.min_refresh_interval < Period::secs(1) {
            problems.error(&at.key("min_refresh_interval"), "at least 1s");
        }
        if self.leeway > Period::secs(300) {
            problems.error(&at.key("leeway"), "at most 5m");
        }
        if self.refresh < Period::secs(1) || self.max_staleness < self.refresh {
            problems.error(&at.key("max_staleness"), "`refresh` is at least 1s, and `max_staleness` at least as long");
        }
        if self.max_token.0 == 0 || self.max_token.0 > 1024 * 1024 {
            problems.error(&at.key("max_token"), "between 1B and 1MiB");
        }
    }

    /// Tells issuers apart whose tokens mean different things, so that a verified token is never taken for another issuer's or
    /// for one under another configuration.
    fn fingerprint(&self, name: &str) -> [u8; 32] {
        let text = serde_json::to_vec(&(name, self)).unwrap_or_default();
        crypto::sha256(&text)
    }
}
