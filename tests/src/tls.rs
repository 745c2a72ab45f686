//! A small certificate authority for tests.

use std::path::Path;

use anyhow::Context as _;
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType};

/// An authority that issues certificates into a folder.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A fresh authority.
    ///
    /// # Errors
    /// When the key cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).context("certificate parameters")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // Another name than that of the certificates: with one name, each would look as if it had signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority of the tests");
        let key = KeyPair::generate().context("key of the authority")?;
        let issuer = CertifiedIssuer::self_signed(params, key).context("certificate of the authority")?;
        Ok(Self { issuer })
    }

    /// The authority's certificate.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes `NAME.pem` and `NAME-key.pem` for a certificate with these DNS and URI names.
    ///
    /// # Errors
    /// When a name is not valid or a file cannot be written.
    pub fn issue(&self, folder: &Path, name: &str, names: &[&str]) -> anyhow::Result<()> {
        let mut params = CertificateParams::new(Vec::new()).context("certificate parameters")?;
        for name in names {
            let text = Ia5String::try_from(*name).with_context(|| format!("{name} is no certificate name"))?;
            params.subject_alt_names.push(if name.contains("://") {
                SanType::URI(text)
            } else {
                SanType::DnsName(text)
            });
        }
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().context("key of the certificate")?;
        let certificate = params.signed_by(&key, &self.issuer).context("certificate")?;
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem())
            .context("cannot write the certificate")?;
        std::fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem()).context("cannot write the key")
    }
}
