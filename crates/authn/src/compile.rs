//! From the section to what verifies. All problems are collected.

use std::sync::Arc;

use ::config::{Path, Period, Problems};
use crypto::jose::{Algorithm, Family, Jwk};

use crate::authenticate::{Authenticator, Issuer};
use crate::config::{AudienceRule, AuthnConfig, IssuerConfig, JwksConfig, TokenFrom};
use crate::keys::{KeyRing, KeySource};

impl AuthnConfig {
    /// Compiles the section. Keys are taken from the ring, which fetches what it does not have. All problems are collected; with an
    /// error among them the result serves only to check the routes.
    pub fn compile(&self, at: &Path, problems: &mut Problems, keys: &KeyRing) -> Authenticator {
        let failures = &self.failures;
        if failures.failures == 0 || failures.per.0.is_zero() {
            problems.error(&at.key("failures"), "at least one failure, in a period that is not zero");
        }
        let issuers = self.issuers.iter().map(|(name, config)| {
            let issuer = config.compile(name, &at.key("issuers").key(name), problems, keys);
            (name.clone(), issuer.map(Arc::new))
        });
        Authenticator::new(issuers.collect(), keys, self.token_cache, self.failures.clone())
    }
}

impl IssuerConfig {
    fn compile(&self, name: &str, at: &Path, problems: &mut Problems, keys: &KeyRing) -> Option<Issuer> {
        let before = problems.len();
        self.check_claims(at, problems);
        self.check_keys(at, problems);
        self.check_times(at, problems);
        self.check_token(at, problems);
        let secret = self.load_secret(at, problems);
        if errors_since(problems, before) > 0 {
            return None;
        }
        let source = match (&self.jwks, secret) {
            (Some(JwksConfig::Url(url)), _) => KeySource::Url(url.clone(), self.jwks_plaintext),
            (Some(JwksConfig::File(path)), _) => KeySource::File(path.clone()),
            (None, Some(secret)) => KeySource::Fixed(Arc::new(secret)),
            (None, None) => return None,
        };
        let cell = keys.cell(name, source, self).map_err(|message| problems.error(&at.key("jwks"), message)).ok()?;
        Some(Issuer { name: name.into(), config: self.normal(), cell, fingerprint: self.fingerprint(name) })
    }

    fn check_claims(&self, at: &Path, problems: &mut Problems) {
        if self.issuer.is_empty() {
            problems.error(&at.key("issuer"), "missing: the `iss` of the tokens");
        }
        match self.audience {
            AudienceRule::Listed if self.audiences.is_empty() => {
                problems.error(&at.key("audiences"), "missing: at least one value that `aud` has to name");
            }
            AudienceRule::Any if !self.audiences.is_empty() => {
                problems.error(&at.key("audience"), "write `audiences` or `audience: any`, not both");
            }
            AudienceRule::Any => {
                problems.warn(&at.key("audience"), "tokens that the issuer made for others are accepted")
            }
            AudienceRule::Listed => {}
        }
    }

    fn check_keys(&self, at: &Path, problems: &mut Problems) {
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
            (Some(_), None) | (None, Some(_)) => {}
        }
        if let Some(JwksConfig::Url(url)) = &self.jwks
            && let Err(error) = net::check_address(url, self.jwks_plaintext)
        {
            problems.error(&at.key("jwks").key("url"), error.to_string());
        }
    }

    fn check_times(&self, at: &Path, problems: &mut Problems) {
        if self.min_refresh_interval < Period::secs(1) {
            problems.error(&at.key("min_refresh_interval"), "at least 1s");
        }
        if self.leeway > Period::secs(300) {
            problems.error(&at.key("leeway"), "at most 5m");
        }
        if self.refresh < Period::secs(1) || self.max_staleness < self.refresh {
            problems.error(&at.key("max_staleness"), "`refresh` is at least 1s, and `max_staleness` at least as long");
        }
    }

    fn check_token(&self, at: &Path, problems: &mut Problems) {
        if self.max_token.0 == 0 || self.max_token.0 > 1024 * 1024 {
            problems.error(&at.key("max_token"), "between 1B and 1MiB");
        }
        if self.types.is_empty() {
            problems.error(&at.key("types"), "at least one `typ`; `jwt` stands for none, too");
        }
        let at = at.key("token");
        match &self.token {
            TokenFrom::Authorization => {}
            TokenFrom::Header(name) if !is_token(name) => problems.error(&at.key("header"), "no name of a header"),
            TokenFrom::Header(name) if ["authorization", "cookie"].iter().any(|n| name.eq_ignore_ascii_case(n)) => {
                problems.error(&at.key("header"), "write `token: authorization` or `token: { cookie: … }`");
            }
            TokenFrom::Cookie(name) if !is_token(name) => problems.error(&at.key("cookie"), "no name of a cookie"),
            TokenFrom::Header(_) | TokenFrom::Cookie(_) => {}
        }
    }

    fn load_secret(&self, at: &Path, problems: &mut Problems) -> Option<Jwk> {
        let at = at.key("secret");
        let least = self.algorithms.iter().map(|a| secret_bytes(*a)).max().unwrap_or(0);
        match self.secret.as_ref()?.load() {
            Ok(bytes) if bytes.expose().len() < least => {
                problems
                    .error(&at, format!("a secret for these algorithms has at least {least} bytes (RFC 7518 §3.2)"));
                None
            }
            Ok(bytes) => Some(Jwk::secret(bytes.expose())),
            Err(error) => {
                problems.error(&at, error.to_string());
                None
            }
        }
    }

    /// The same with names as they are compared: header in lower case, `typ` in lower case and without `application/`.
    fn normal(&self) -> Self {
        let mut config = self.clone();
        if let TokenFrom::Header(name) = &mut config.token {
            name.make_ascii_lowercase();
        }
        for typ in &mut config.types {
            typ.make_ascii_lowercase();
            if let Some(short) = typ.strip_prefix("application/") {
                *typ = short.to_owned();
            }
        }
        config
    }

    /// Tells issuers apart whose tokens mean different things, so that a verified token is never taken for another issuer's or
    /// for one under another configuration. `Debug` loses nothing: serde fails on file names that are not UTF-8.
    fn fingerprint(&self, name: &str) -> [u8; 32] {
        crypto::sha256(format!("{name:?} {self:?}").as_bytes())
    }
}

fn errors_since(problems: &Problems, before: usize) -> usize {
    problems.iter().skip(before).filter(|p| !p.warning).count()
}

/// The key is at least as long as the hash (RFC 7518 §3.2).
const fn secret_bytes(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::EdDSA
        | Algorithm::HS256 => 32,
    }
}

/// RFC 9110 §5.6.2, which names of headers and cookies (RFC 6265 §4.1.1) are.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
