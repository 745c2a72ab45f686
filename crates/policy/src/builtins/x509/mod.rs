//! `crypto.x509.parse_certificates` and `crypto.x509.parse_certificate_request`: certificates as Go's crypto/x509 has
//! them, in JSON. Nothing is verified. Address ranges of name constraints, policy mappings and attributes of requests are
//! not read: they are `null`. The constraints on policies are not read, either.

mod fields;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regorus::Value;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::X509Extension;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, ParsedCriAttribute, X509Certificate};

use fields::{Fields, base64, extensions, name, public_key, signature_algorithm, time};

/// The longest text that is read, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// `crypto.x509.parse_certificates(certs)`: PEM, base64 of PEM, or base64 of DER.
pub(super) fn parse_certificates(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let der = der_of(text, "-----BEGIN", "CERTIFICATE")?;
    let mut rest: &[u8] = &der;
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        let (after, certificate) = X509Certificate::from_der(rest)?;
        let raw = rest.get(..rest.len() - after.len()).unwrap_or_default();
        certificates.push(certificate_value(&certificate, raw)?);
        rest = after;
    }
    Ok(Value::from(certificates))
}

/// `crypto.x509.parse_certificate_request(csr)`.
pub(super) fn parse_certificate_request(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let der = der_of(text, "-----BEGIN CERTIFICATE REQUEST-----", "CERTIFICATE REQUEST")?;
    let (rest, request) = X509CertificationRequest::from_der(&der)?;
    if !rest.is_empty() {
        bail!("data behind the request");
    }
    let info = &request.certification_request_info;
    let asked: Vec<X509Extension<'_>> = info
        .iter_attributes()
        .filter_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(request) => Some(request.extensions.clone()),
            ParsedCriAttribute::ChallengePassword(_) | ParsedCriAttribute::UnsupportedAttribute => None,
        })
        .flatten()
        .collect();
    let mut out = Fields::default();
    out.set("Raw", base64(&der));
    out.set("RawTBSCertificateRequest", base64(info.raw));
    out.set("RawSubjectPublicKeyInfo", base64(info.subject_pki.raw));
    out.set("RawSubject", base64(info.subject.as_raw()));
    out.set("Version", Value::from(u64::from(info.version.0)));
    out.set("Signature", base64(&request.signature_value.data));
    out.set("SignatureAlgorithm", signature_algorithm(&request.signature_algorithm));
    out.set("Subject", name(&info.subject)?);
    public_key(&info.subject_pki, &mut out)?;
    extensions(&asked, &mut out)?;
    // A request has no more than these.
    Ok(out.only(&[
        "Raw",
        "RawTBSCertificateRequest",
        "RawSubjectPublicKeyInfo",
        "RawSubject",
        "Version",
        "Signature",
        "SignatureAlgorithm",
        "PublicKeyAlgorithm",
        "PublicKey",
        "Subject",
        "Attributes",
        "Extensions",
        "ExtraExtensions",
        "DNSNames",
        "EmailAddresses",
        "IPAddresses",
        "URIs",
    ]))
}

/// The DER of all blocks of a text. `begin` says how PEM begins, `label` which blocks there may be.
fn der_of(text: &str, begin: &str, label: &str) -> Result<Vec<u8>> {
    if text.len() > MAX_TEXT_BYTES {
        bail!("too long");
    }
    let decoded = if text.starts_with(begin) {
        text.as_bytes().to_vec()
    } else {
        STANDARD.decode(text.replace(['\r', '\n'], "")).context("neither PEM nor base64")?
    };
    if !decoded.starts_with(b"-----BEGIN") {
        return Ok(decoded);
    }
    let mut der = Vec::new();
    for block in Pem::iter_from_buffer(&decoded) {
        let block = block?;
        if block.label != label {
            bail!("a block of another type");
        }
        der.extend(block.contents);
    }
    Ok(der)
}

fn certificate_value(certificate: &X509Certificate<'_>, raw: &[u8]) -> Result<Value> {
    let tbs = &certificate.tbs_certificate;
    let mut out = Fields::default();
    out.set("Raw", base64(raw));
    out.set("RawTBSCertificate", base64(tbs.as_ref()));
    out.set("RawSubjectPublicKeyInfo", base64(tbs.subject_pki.raw));
    out.set("RawSubject", base64(tbs.subject.as_raw()));
    out.set("RawIssuer", base64(tbs.issuer.as_raw()));
    out.set("Signature", base64(&certificate.signature_value.data));
    out.set("SignatureAlgorithm", signature_algorithm(&certificate.signature_algorithm));
    out.set("Version", Value::from(u64::from(tbs.version.0) + 1));
    out.set("SerialNumber", Value::from_numeric_string(&tbs.serial.to_string())?);
    out.set("Issuer", name(&tbs.issuer)?);
    out.set("Subject", name(&tbs.subject)?);
    out.set("NotBefore", time(tbs.validity.not_before.timestamp())?);
    out.set("NotAfter", time(tbs.validity.not_after.timestamp())?);
    public_key(&tbs.subject_pki, &mut out)?;
    extensions(tbs.extensions(), &mut out)?;
    Ok(out.into_value())
}
