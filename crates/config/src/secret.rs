//! Secrets by reference: a configuration never holds a secret itself.

use std::io;
use std::path::PathBuf;

use model::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretConfig {
    /// A file; one trailing line break is dropped.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("cannot read secret file {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The variable is not set, or is not UTF-8.
    #[error("environment variable {name} is not set")]
    Env {
        /// The variable.
        name: String,
    },
}

impl SecretConfig {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`SecretError`] when the file or variable cannot be read.
    pub fn load(&self) -> Result<Secret<Vec<u8>>, SecretError> {
        match self {
            Self::File(path) => {
                let mut bytes =
                    std::fs::read(path).map_err(|source| SecretError::File { path: path.clone(), source })?;
                if bytes.last() == Some(&b'\n') {
                    bytes.pop();
                    if bytes.last() == Some(&b'\r') {
                        bytes.pop();
                    }
                }
                Ok(Secret::new(bytes))
            }
            Self::Env(name) => std::env::var(name)
                .map(|v| Secret::new(v.into_bytes()))
                .map_err(|_absent| SecretError::Env { name: name.clone() }),
        }
    }
}
