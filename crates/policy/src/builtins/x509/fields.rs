//! The fields of certificates and requests.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use regorus::Value;
use regorus::value::Object;
use x509_parser::asn1_rs::Oid;
use x509_parser::der_parser::num_bigint::BigUint;
use x509_parser::extensions::{DistributionPointName, GeneralName, GeneralSubtree, ParsedExtension, X509Extension};
use x509_parser::prelude::{AlgorithmIdentifier, SubjectPublicKeyInfo, X509Name};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// An object that is being made.
pub(super) struct Fields(Object);

impl Default for Fields {
    /// With what a certificate without extensions has.
    fn default() -> Self {
        let mut fields = Self(Object::new());
        for name in ABSENT {
            fields.set(name, Value::Null);
        }
        for name in ["BasicConstraintsValid", "IsCA", "MaxPathLenZero", "PermittedDNSDomainsCritical"] {
            fields.set(name, Value::Bool(false));
        }
        for name in ["InhibitAnyPolicy", "InhibitPolicyMapping", "RequireExplicitPolicy", "KeyUsage", "MaxPathLen"] {
            fields.set(name, Value::from(0_u64));
        }
        for name in ["InhibitAnyPolicyZero", "InhibitPolicyMappingZero", "RequireExplicitPolicyZero"] {
            fields.set(name, Value::Bool(false));
        }
        fields
    }
}

/// Lists that are `null` where there is nothing.
const ABSENT: [&str; 29] = [
    "Attributes",
    "AuthorityKeyId",
    "CRLDistributionPoints",
    "DNSNames",
    "EmailAddresses",
    "ExcludedDNSDomains",
    "ExcludedEmailAddresses",
    "ExcludedIPRanges",
    "ExcludedURIDomains",
    "ExtKeyUsage",
    "Extensions",
    "ExtraExtensions",
    "IPAddresses",
    "IssuingCertificateURL",
    "OCSPServer",
    "PermittedDNSDomains",
    "PermittedEmailAddresses",
    "PermittedIPRanges",
    "PermittedURIDomains",
    "Policies",
    "PolicyIdentifiers",
    "PolicyMappings",
    "PublicKey",
    "SubjectKeyId",
    "URIStrings",
    "URIs",
    "UnhandledCriticalExtensions",
    "UnknownExtKeyUsage",
    "PublicKeyAlgorithm",
];

impl Fields {
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(Value::from(name), value);
    }

    /// Sets a list; an empty one is `null`.
    fn set_list(&mut self, name: &str, values: Vec<Value>) {
        self.set(name, list(values));
    }

    /// The object of a certificate: everything but what only requests have.
    pub(super) fn into_value(self) -> Value {
        let mut out = Object::new();
        for (name, value) in self.0.iter().filter(|(name, _)| **name != Value::from("Attributes")) {
            out.insert(name.clone(), value.clone());
        }
        out.into_value()
    }

    pub(super) fn only(self, names: &[&str]) -> Value {
        let mut out = Object::new();
        for name in names {
            let name = Value::from(*name);
            out.insert(name.clone(), self.0.get(&name).cloned().unwrap_or(Value::Null));
        }
        out.into_value()
    }
}

fn list(values: Vec<Value>) -> Value {
    if values.is_empty() { Value::Null } else { Value::from(values) }
}

pub(super) fn base64(bytes: &[u8]) -> Value {
    Value::from(STANDARD.encode(bytes))
}

pub(super) fn time(seconds: i64) -> Result<Value> {
    let time = DateTime::from_timestamp(seconds, 0).context("a time out of range")?;
    Ok(Value::from(time.format("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

fn big(bytes: &[u8]) -> Result<Value> {
    Value::from_numeric_string(&BigUint::from_bytes_be(bytes).to_string())
}

fn numbers(oid: &Oid<'_>) -> Value {
    Value::from(oid.iter().into_iter().flatten().map(Value::from).collect::<Vec<_>>())
}

/// A distinguished name, as Go's `pkix.Name`.
pub(super) fn name(name: &X509Name<'_>) -> Result<Value> {
    let lists = [
        ("Country", "2.5.4.6"),
        ("Organization", "2.5.4.10"),
        ("OrganizationalUnit", "2.5.4.11"),
        ("Locality", "2.5.4.7"),
        ("Province", "2.5.4.8"),
        ("StreetAddress", "2.5.4.9"),
        ("PostalCode", "2.5.4.17"),
    ];
    let mut all = Vec::new();
    for attribute in name.iter_attributes() {
        let text = attribute.as_str().context("a name that is no text")?;
        all.push((attribute.attr_type().to_id_string(), numbers(attribute.attr_type()), text));
    }
    let of_type =
        |wanted: &str| all.iter().filter(|(id, ..)| id == wanted).map(|(.., text)| Value::from(*text)).collect();
    let mut out = Object::new();
    for (name, id) in lists {
        out.insert(Value::from(name), list(of_type(id)));
    }
    for (name, id) in [("SerialNumber", "2.5.4.5"), ("CommonName", "2.5.4.3")] {
        let texts: Vec<Value> = of_type(id);
        out.insert(Value::from(name), texts.into_iter().next_back().unwrap_or_else(|| Value::from("")));
    }
    let names = all.iter().map(|(_, numbers, text)| object([("Type", numbers.clone()), ("Value", Value::from(*text))]));
    out.insert(Value::from("Names"), list(names.collect()));
    out.insert(Value::from("ExtraNames"), Value::Null);
    Ok(out.into_value())
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let mut out = Object::new();
    for (name, value) in fields {
        out.insert(Value::from(name), value);
    }
    out.into_value()
}

/// Key and algorithm, by Go's numbers.
pub(super) fn public_key(info: &SubjectPublicKeyInfo<'_>, out: &mut Fields) -> Result<()> {
    let (algorithm, key): (u64, Value) = match info.parsed() {
        Ok(PublicKey::RSA(key)) => (1, object([("N", big(key.modulus)?), ("E", big(key.exponent)?)])),
        Ok(PublicKey::DSA(_)) => (2, Value::Null),
        Ok(PublicKey::EC(point)) => {
            let coordinates = point.data().strip_prefix(&[4]).unwrap_or_default();
            let (x, y) = coordinates.split_at_checked(coordinates.len() / 2).unwrap_or_default();
            (3, object([("Curve", Value::new_object()), ("X", big(x)?), ("Y", big(y)?)]))
        }
        _ if info.algorithm.algorithm.to_id_string() == "1.3.101.112" => (4, base64(&info.subject_public_key.data)),
        _ => (0, Value::Null),
    };
    out.set("PublicKeyAlgorithm", Value::from(algorithm));
    out.set("PublicKey", key);
    Ok(())
}

/// Go's number of a signature algorithm; zero for one that it does not know.
pub(super) fn signature_algorithm(identifier: &AlgorithmIdentifier<'_>) -> Value {
    const RSA: &str = "1.2.840.113549.1.1.";
    let id = identifier.algorithm.to_id_string();
    let number: u64 = match id.strip_prefix(RSA) {
        Some("2") => 1,
        Some("4") => 2,
        Some("5") => 3,
        Some("11") => 4,
        Some("12") => 5,
        Some("13") => 6,
        Some("10") => match SignatureAlgorithm::try_from(identifier) {
            Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => {
                match parameters.hash_algorithm_oid().to_id_string().as_str() {
                    "2.16.840.1.101.3.4.2.1" => 13,
                    "2.16.840.1.101.3.4.2.2" => 14,
                    "2.16.840.1.101.3.4.2.3" => 15,
                    _ => 0,
                }
            }
            _ => 0,
        },
        _ => match id.as_str() {
            "1.2.840.10040.4.3" => 7,
            "2.16.840.1.101.3.4.3.2" => 8,
            "1.2.840.10045.4.1" => 9,
            "1.2.840.10045.4.3.2" => 10,
            "1.2.840.10045.4.3.3" => 11,
            "1.2.840.10045.4.3.4" => 12,
            "1.3.101.112" => 16,
            _ => 0,
        },
    };
    Value::from(number)
}

/// Purposes of keys in the order of Go's numbers for them.
const PURPOSES: [&str; 14] = [
    "2.5.29.37.0",
    "1.3.6.1.5.5.7.3.1",
    "1.3.6.1.5.5.7.3.2",
    "1.3.6.1.5.5.7.3.3",
    "1.3.6.1.5.5.7.3.4",
    "1.3.6.1.5.5.7.3.5",
    "1.3.6.1.5.5.7.3.6",
    "1.3.6.1.5.5.7.3.7",
    "1.3.6.1.5.5.7.3.8",
    "1.3.6.1.5.5.7.3.9",
    "1.3.6.1.4.1.311.10.3.3",
    "2.16.840.1.113730.4.1",
    "1.3.6.1.4.1.311.2.1.22",
    "1.3.6.1.4.1.311.61.1.1",
];

pub(super) fn extensions(all: &[X509Extension<'_>], out: &mut Fields) -> Result<()> {
    let mut unhandled = Vec::new();
    for extension in all {
        let handled = read_extension(extension, out)?;
        if extension.critical && !handled {
            unhandled.push(numbers(&extension.oid));
        }
    }
    out.set_list("UnhandledCriticalExtensions", unhandled);
    let written = all.iter().map(|extension| {
        object([
            ("Id", numbers(&extension.oid)),
            ("Critical", Value::Bool(extension.critical)),
            ("Value", base64(extension.value)),
        ])
    });
    out.set_list("Extensions", written.collect());
    Ok(())
}

/// False for an extension that means nothing here.
fn read_extension(extension: &X509Extension<'_>, out: &mut Fields) -> Result<bool> {
    match extension.parsed_extension() {
        ParsedExtension::BasicConstraints(constraints) => {
            let length = constraints.path_len_constraint;
            out.set("BasicConstraintsValid", Value::Bool(true));
            out.set("IsCA", Value::Bool(constraints.ca));
            out.set("MaxPathLen", length.map_or_else(|| Value::from(-1_i64), |length| Value::from(u64::from(length))));
            out.set("MaxPathLenZero", Value::Bool(length == Some(0)));
        }
        ParsedExtension::KeyUsage(usage) => out.set("KeyUsage", Value::from(u64::from(usage.flags))),
        ParsedExtension::ExtendedKeyUsage(_) => purposes(extension.value, out)?,
        ParsedExtension::SubjectKeyIdentifier(id) => out.set("SubjectKeyId", base64(id.0)),
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            out.set("AuthorityKeyId", id.key_identifier.as_ref().map_or(Value::Null, |id| base64(id.0)));
        }
        ParsedExtension::SubjectAlternativeName(names) => alternative_names(&names.general_names, out)?,
        ParsedExtension::CertificatePolicies(policies) => {
            let ids = || policies.iter().map(|policy| &policy.policy_id);
            out.set_list("PolicyIdentifiers", ids().map(numbers).collect());
            out.set_list("Policies", ids().map(|id| Value::from(id.to_id_string())).collect());
        }
        ParsedExtension::CRLDistributionPoints(points) => {
            let names = points.iter().filter_map(|point| match &point.distribution_point {
                Some(DistributionPointName::FullName(names)) => Some(names.iter()),
                _ => None,
            });
            out.set_list("CRLDistributionPoints", names.flatten().filter_map(uri).collect());
        }
        ParsedExtension::AuthorityInfoAccess(access) => {
            let of_type = |wanted: &str| {
                let described = access.accessdescs.iter().filter(|one| one.access_method.to_id_string() == wanted);
                described.filter_map(|one| uri(&one.access_location)).collect()
            };
            out.set_list("OCSPServer", of_type("1.3.6.1.5.5.7.48.1"));
            out.set_list("IssuingCertificateURL", of_type("1.3.6.1.5.5.7.48.2"));
        }
        ParsedExtension::NameConstraints(constraints) => {
            out.set("PermittedDNSDomainsCritical", Value::Bool(extension.critical));
            subtrees("Permitted", constraints.permitted_subtrees.as_deref().unwrap_or_default(), out);
            subtrees("Excluded", constraints.excluded_subtrees.as_deref().unwrap_or_default(), out);
        }
        ParsedExtension::ParseError { .. } => bail!("a malformed extension"),
        ParsedExtension::UnsupportedExtension { .. }
        | ParsedExtension::PolicyMappings(_)
        | ParsedExtension::IssuerAlternativeName(_)
        | ParsedExtension::PolicyConstraints(_)
        | ParsedExtension::InhibitAnyPolicy(_)
        | ParsedExtension::SubjectInfoAccess(_)
        | ParsedExtension::NSCertType(_)
        | ParsedExtension::NsCertComment(_)
        | ParsedExtension::IssuingDistributionPoint(_)
        | ParsedExtension::CRLNumber(_)
        | ParsedExtension::ReasonCode(_)
        | ParsedExtension::InvalidityDate(_)
        | ParsedExtension::SCT(_)
        | ParsedExtension::Unparsed => return Ok(false),
    }
    Ok(true)
}

fn uri(name: &GeneralName<'_>) -> Option<Value> {
    if let GeneralName::URI(uri) = name { Some(Value::from(*uri)) } else { None }
}

/// In their order, which the parsed form does not keep.
fn purposes(der: &[u8], out: &mut Fields) -> Result<()> {
    use x509_parser::asn1_rs::FromDer as _;
    let (_, ids) = Vec::<Oid<'_>>::from_der(der)?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for id in &ids {
        let text = id.to_id_string();
        match (0_u64..).zip(PURPOSES).find(|(_, purpose)| *purpose == text) {
            Some((number, _)) => known.push(Value::from(number)),
            None => unknown.push(numbers(id)),
        }
    }
    out.set_list("ExtKeyUsage", known);
    out.set_list("UnknownExtKeyUsage", unknown);
    Ok(())
}

fn alternative_names(names: &[GeneralName<'_>], out: &mut Fields) -> Result<()> {
    let (mut dns, mut mail, mut addresses, mut uris) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in names {
        match name {
            GeneralName::DNSName(name) => dns.push(Value::from(*name)),
            GeneralName::RFC822Name(name) => mail.push(Value::from(*name)),
            GeneralName::URI(name) => uris.push(Value::from(*name)),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_canonical());
                let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_canonical());
                addresses.push(Value::from(v4.or(v6).context("an address of another length")?.to_string()));
            }
            GeneralName::Invalid(..) => bail!("a malformed name"),
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::RegisteredID(_) => {}
        }
    }
    out.set_list("DNSNames", dns);
    out.set_list("EmailAddresses", mail);
    out.set_list("IPAddresses", addresses);
    out.set_list("URIs", uris.iter().map(url).collect::<Result<_>>()?);
    out.set_list("URIStrings", uris);
    Ok(())
}

/// A URI as Go's `url.URL`.
fn url(text: &Value) -> Result<Value> {
    let parts = crate::builtins::uri::parse(std::slice::from_ref(text))?;
    let part = |name: &str| match parts.as_object().ok().and_then(|parts| parts.get(&Value::from(name))) {
        Some(Value::String(text)) => text.to_string(),
        _ => String::new(),
    };
    let after_scheme = text.as_string()?.split_once("//").map_or("", |(_, after)| after);
    let has_user = after_scheme.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'));
    let (hostname, port) = (part("hostname"), part("port"));
    let hostname = if hostname.contains(':') { format!("[{hostname}]") } else { hostname };
    let host = if port.is_empty() { hostname } else { format!("{hostname}:{port}") };
    let (path, raw_path) = (part("path"), part("raw_path"));
    let raw_path = if raw_path == path { String::new() } else { raw_path };
    Ok(object([
        ("Scheme", Value::from(part("scheme"))),
        ("Opaque", Value::from("")),
        // Go does not tell names and passwords.
        ("User", if has_user { Value::new_object() } else { Value::Null }),
        ("Host", Value::from(host)),
        ("Path", Value::from(path)),
        ("RawPath", Value::from(raw_path)),
        ("OmitHost", Value::Bool(false)),
        ("ForceQuery", Value::Bool(false)),
        ("RawQuery", Value::from(part("raw_query"))),
        ("Fragment", Value::from(part("fragment"))),
        ("RawFragment", Value::from("")),
    ]))
}

fn subtrees(kind: &str, trees: &[GeneralSubtree<'_>], out: &mut Fields) {
    let (mut dns, mut mail, mut uris) = (Vec::new(), Vec::new(), Vec::new());
    for tree in trees {
        match &tree.base {
            GeneralName::DNSName(name) => dns.push(Value::from(*name)),
            GeneralName::RFC822Name(name) => mail.push(Value::from(*name)),
            GeneralName::URI(name) => uris.push(Value::from(*name)),
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => {}
        }
    }
    out.set_list(&format!("{kind}DNSDomains"), dns);
    out.set_list(&format!("{kind}EmailAddresses"), mail);
    out.set_list(&format!("{kind}URIDomains"), uris);
}
