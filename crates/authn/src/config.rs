//! The section `authn`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ::config::{Period, SecretConfig, Size};
use crypto::jose::Algorithm;
use net::Plaintext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// How many failed verifications there may be before signatures are no longer checked. Tokens that were verified before still pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FailureBudgetConfig {
    /// Failures of one client address per period; IPv6 addresses count by their /64.
    pub failures: u32,
    /// Failures of all addresses together per period; never less than `failures`.
    pub total: u32,
    /// The period.
    pub per: Period,
}

impl Default for FailureBudgetConfig {
    fn default() -> Self {
        Self { failures: 100, total: 60_000, per: Period::secs(60) }
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
    /// `any` accepts every audience, and none: tokens that the issuer made for others pass too.
    pub audience: AudienceRule,
    /// Accepted algorithms: RS256/384/512, PS256/384/512, ES256, ES384, EdDSA; HS256/384/512 only when named here, together with `secret`.
    pub algorithms: Vec<Algorithm>,
    /// Where the public keys are.
    pub jwks: Option<JwksConfig>,
    /// `accept` fetches keys over clear text from another machine; whoever is on the way can then make tokens.
    pub jwks_plaintext: Plaintext,
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
            audience: AudienceRule::Listed,
            algorithms: vec![Algorithm::RS256, Algorithm::ES256],
            jwks: None,
            jwks_plaintext: Plaintext::Refuse,
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

/// Whose tokens an issuer's are (RFC 7519 §4.1.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudienceRule {
    /// Those of `audiences`.
    #[default]
    Listed,
    /// Anybody's.
    Any,
}

/// Where public keys are (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JwksConfig {
    /// An address; https, or http on this machine. Other clear text only with `jwks_plaintext: accept`.
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
}
