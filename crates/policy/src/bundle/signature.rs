//! `.signatures.json`: who vouches for the files of a bundle.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::keys::{VerifyingKey, shared_secret, verifying_keys};
use serde::Deserialize;

use super::archive::Files;
use super::canonical::canonical;
use crate::builtins::glob_pattern;
use crate::opa::config::{Key, Signing};

/// The file that holds the signature.
pub(super) const SIGNATURES: &str = ".signatures.json";

/// Why a bundle is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A signature is asked for, and there is none.
    #[error("the bundle is not signed, and `signing` asks for it")]
    Missing,
    /// There is a signature that nobody can check.
    #[error("the bundle is signed: say with `signing` and `keys` how the signature is checked")]
    Unexpected,
    /// The signature is not written as it must be.
    #[error(".signatures.json: {0}")]
    Format(String),
    /// No key is known by that id.
    #[error("no key {0:?} in `keys`")]
    UnknownKey(String),
    /// A key is no key.
    #[error("keys.{id}: {problem}")]
    Key {
        /// Its id.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// The signature is not of this key, or the payload was changed.
    #[error("the signature is wrong")]
    Wrong,
    /// It is signed for something else.
    #[error("the signature is for the scope {found:?}, not {wanted:?}")]
    Scope {
        /// What it is for.
        found: String,
        /// What it should be for.
        wanted: String,
    },
    /// The files are not those that were signed.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

/// How signatures are checked.
#[derive(Debug, Clone)]
pub struct Verification {
    keys: BTreeMap<String, (String, VerifyingKey, String)>,
    keyid: Option<String>,
    scope: Option<String>,
    exclude: Vec<String>,
}

#[derive(Deserialize)]
struct Signatures {
    #[serde(default)]
    signatures: Vec<String>,
    #[serde(default)]
    plugin: String,
}

#[derive(Deserialize)]
struct Header {
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    files: Vec<Signed>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    keyid: String,
}

#[derive(Deserialize)]
struct Signed {
    name: String,
    hash: String,
    #[serde(default)]
    algorithm: String,
}

impl Verification {
    /// From `signing` of a bundle and `keys`.
    ///
    /// # Errors
    /// [`SignatureError::Key`]: a key cannot be read.
    pub fn new(signing: &Signing, keys: &BTreeMap<String, Key>) -> Result<Self, SignatureError> {
        let mut read = BTreeMap::new();
        for (id, key) in keys {
            let algorithm = key.algorithm.clone().unwrap_or_else(|| "RS256".to_owned());
            let wrong = |problem: String| SignatureError::Key { id: id.clone(), problem };
            let material = if algorithm.starts_with("HS") {
                shared_secret(key.key.as_bytes())
            } else {
                let mut found = verifying_keys(&key.key).map_err(|error| wrong(error.to_string()))?;
                if found.is_empty() {
                    return Err(wrong("there is no key in it".to_owned()));
                }
                found.swap_remove(0)
            };
            read.insert(id.clone(), (algorithm, material, key.scope.clone().unwrap_or_default()));
        }
        let present = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let exclude = signing.exclude_files.clone();
        Ok(Self { keys: read, keyid: present(&signing.keyid), scope: present(&signing.scope), exclude })
    }

    /// Checks the signature and every file.
    pub(super) fn check(&self, files: &Files) -> Result<(), SignatureError> {
        let text = files.get(SIGNATURES).ok_or(SignatureError::Missing)?;
        let format = |problem: &str| SignatureError::Format(problem.to_owned());
        let signatures: Signatures =
            serde_json::from_slice(text).map_err(|error| SignatureError::Format(error.to_string()))?;
        if !matches!(signatures.plugin.as_str(), "" | "_default") {
            return Err(format("only signatures without a plugin are served"));
        }
        let [token] = signatures.signatures.as_slice() else {
            return Err(format("there must be exactly one signature"));
        };
        let payload = self.payload(token)?;
        let mut signed: BTreeMap<&str, &Signed> = BTreeMap::new();
        for file in &payload.files {
            signed.insert(file.name.trim_start_matches('/'), file);
        }
        for (path, contents) in files.iter().filter(|(path, _)| *path != SIGNATURES) {
            if self.is_excluded(path)? {
                continue;
            }
            let problem = match signed.remove(path.as_str()) {
                None => Some("it is not signed".to_owned()),
                Some(file) => file.problem(path, contents),
            };
            if let Some(problem) = problem {
                return Err(SignatureError::File { path: path.clone(), problem });
            }
        }
        match signed.into_keys().next() {
            Some(path) => {
                let problem = "it is signed, and not in the bundle".to_owned();
                Err(SignatureError::File { path: path.to_owned(), problem })
            }
            None => Ok(()),
        }
    }

    /// What is signed, once the signature is right.
    fn payload(&self, token: &str) -> Result<Payload, SignatureError> {
        let format = |problem: &str| SignatureError::Format(problem.to_owned());
        let no_jws = || format("the signature is no compact JWS");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(no_jws)?;
        let (header, payload) = signed.split_once('.').ok_or_else(no_jws)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_no_base64| no_jws());
        let (header, signature) = (decode(header)?, decode(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_no_json| no_jws())?;
        let payload: Payload = serde_json::from_slice(&decode(payload)?)
            .map_err(|error| SignatureError::Format(format!("the payload: {error}")))?;
        let own = Some(payload.keyid.clone());
        let id = [self.keyid.clone(), header.kid, own].into_iter().flatten().find(|id| !id.is_empty());
        let id = id.ok_or_else(|| format("there is no key id: set signing.keyid"))?;
        let (algorithm, key, scope) = self.keys.get(&id).ok_or_else(|| SignatureError::UnknownKey(id.clone()))?;
        // The algorithm is the one of the configuration, whatever the header says.
        let right = key.verify(algorithm, signed.as_bytes(), &signature);
        if !right.map_err(|error| SignatureError::Key { id, problem: error.to_string() })? {
            return Err(SignatureError::Wrong);
        }
        let wanted = self.scope.as_ref().unwrap_or(scope);
        if payload.scope != *wanted {
            return Err(SignatureError::Scope { found: payload.scope, wanted: wanted.clone() });
        }
        Ok(payload)
    }

    fn is_excluded(&self, path: &str) -> Result<bool, SignatureError> {
        for pattern in &self.exclude {
            if glob_pattern(pattern.trim_start_matches('/'), &['/'], path)
                .map_err(|error| SignatureError::Format(format!("signing.exclude_files: {error}")))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Signed {
    /// What is wrong with a file.
    fn problem(&self, path: &str, contents: &[u8]) -> Option<String> {
        let bytes = match hashed_form(path, contents) {
            Ok(bytes) => bytes,
            Err(problem) => return Some(problem),
        };
        match crypto::digest_by_name(&self.algorithm, &bytes) {
            None => Some(format!("the digest {:?} is not served: sign with SHA-256", self.algorithm)),
            Some(digest) if crypto::hex(&digest) == self.hash.to_ascii_lowercase() => None,
            Some(_) => Some("it is not what was signed".to_owned()),
        }
    }
}

/// Data and the manifest are signed in canonical form, everything else as it is.
fn hashed_form(path: &str, contents: &[u8]) -> Result<Vec<u8>, String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let text = || std::str::from_utf8(contents).map_err(|_no_text| "it is not UTF-8".to_owned());
    match name {
        "data.json" | ".manifest" => canonical(text()?).map(String::into_bytes),
        "data.yaml" | "data.yml" => {
            let value: serde_json::Value = serde_saphyr::from_str(text()?).map_err(|error| error.to_string())?;
            canonical(&value.to_string()).map(String::into_bytes)
        }
        _ => Ok(contents.to_vec()),
    }
}
