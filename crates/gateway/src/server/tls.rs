//! TLS of a listener: files in, rustls configuration out, exchanged when the files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use config::{SecretConfig, SecretError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{MinVersion, TlsConfig, TlsPlan};

/// Why TLS of a listener cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or holds no certificate.
    #[error("cannot read certificates from {path}: {cause}")]
    Certificates {
        /// The key of the section.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The private key cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The private key is no PEM key.
    #[error("the private key is not a PEM key")]
    Key,
    /// The parts do not fit together.
    #[error("certificate, key and authorities do not fit: {0}")]
    Mismatch(String),
}

impl TlsError {
    /// The key of the `tls` section that it is about.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::Certificates { field, .. } => field,
            Self::Secret(_) | Self::Key => "private_key",
            Self::Mismatch(_) => "certificate",
        }
    }
}

/// A configuration that was built from the files as they are now.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// For rustls.
    pub(crate) config: Arc<ServerConfig>,
    /// End of the certificate's validity, seconds since the epoch.
    pub(crate) not_after: i64,
}

/// Reads the files and builds the configuration.
///
/// # Errors
/// [`TlsError`] when a file is unreadable or the parts do not fit.
pub(crate) fn load(tls: &TlsConfig) -> Result<Loaded, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = certificates("certificate", &tls.certificate)?;
    let not_after = chain.first().map_or(0, |leaf| match X509Certificate::from_der(leaf) {
        Ok((_, parsed)) => parsed.validity().not_after.timestamp(),
        Err(_) => 0,
    });
    let secret = tls.private_key.load()?;
    let key = PrivateKeyDer::from_pem_slice(secret.expose()).map_err(|_invalid| TlsError::Key)?;
    let mut roots = RootCertStore::empty();
    for authority in certificates("client_ca", &tls.client_ca)? {
        roots.add(authority).map_err(|error| TlsError::Certificates {
            field: "client_ca",
            path: tls.client_ca.clone(),
            cause: error.to_string(),
        })?;
    }
    let mismatch = |error: &dyn std::fmt::Display| TlsError::Mismatch(error.to_string());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|e| mismatch(&e))?;
    let versions: &[_] = match tls.min_version {
        MinVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        MinVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| mismatch(&e))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(|e| mismatch(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // No resumption: every connection proves its name against the authorities of today.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Loaded { config: Arc::new(config), not_after })
}

fn certificates(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |cause: String| TlsError::Certificates { field, path: path.to_owned(), cause };
    let bytes = fs::read(path).map_err(|error| fail(error.to_string()))?;
    let list = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    match list {
        Ok(list) if list.is_empty() => Err(fail("no certificate in it".to_owned())),
        Ok(list) => Ok(list),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// TLS of one listener, kept up to date.
#[derive(Debug)]
pub(crate) struct LiveTls {
    plan: TlsPlan,
    current: ArcSwap<Loaded>,
}

impl LiveTls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// See [`load`].
    pub(crate) fn start(plan: TlsPlan) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(load(&plan.config)?);
        Ok(Self { plan, current })
    }

    /// The configuration for the next connection.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// End of the validity of the certificate in use, seconds since the epoch.
    pub(crate) fn not_after(&self) -> i64 {
        self.current.load().not_after
    }

    /// What changes when one of the files does.
    pub(crate) fn stamp(&self) -> Vec<Option<(SystemTime, u64)>> {
        let tls = &self.plan.config;
        let key = match &tls.private_key {
            SecretConfig::File(path) => Some(path),
            SecretConfig::Env(_) => None,
        };
        [Some(&tls.certificate), key, Some(&tls.client_ca)]
            .into_iter()
            .flatten()
            .map(|path| {
                let file = fs::metadata(path).ok()?;
                Some((file.modified().ok()?, file.len()))
            })
            .collect()
    }

    /// Reads the files again. On failure the old certificate stays in use.
    ///
    /// # Errors
    /// See [`load`].
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(load(&self.plan.config)?));
        Ok(())
    }

    /// True when the certificate of a client carries one of the listed names. Its chain was verified in the handshake.
    pub(crate) fn admits(&self, client: Option<&[CertificateDer<'_>]>) -> bool {
        let Some(leaf) = client.and_then(<[_]>::first) else { return false };
        let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return false };
        let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
        names.value.general_names.iter().any(|name| {
            if let GeneralName::DNSName(name) = name {
                self.listed(|wanted| name.eq_ignore_ascii_case(wanted))
            } else if let GeneralName::URI(name) = name {
                self.listed(|wanted| match wanted.strip_suffix('*') {
                    Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
                    None => *name == wanted,
                })
            } else {
                false
            }
        })
    }

    fn listed(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.plan.config.client_names.iter().any(|wanted| fits(wanted))
    }
}
