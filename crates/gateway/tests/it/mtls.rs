use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use tokio_rustls::TlsConnector;

use crate::harness::{CHECK, Client, Running, allowed, frame, request, start};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, name: SanType) -> (String, String) {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

struct Place {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new() };
        place.write("ca.pem", &place.authority.0.pem());
        place.renew();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn renew(&self) {
        let (certificate, key) = self.authority.issue(dns("gatehouse.test"));
        self.write("key.pem", &key);
        self.write("cert.pem", &certificate);
    }

    async fn start(&self) -> Running {
        self.start_from("1.3").await
    }

    /// With TLS of `min_version` or newer.
    async fn start_from(&self, min_version: &str) -> Running {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        start(
            json!({ "certificate_poll": "50ms", "listeners": [{ "address": "127.0.0.1:0", "serves": ["check"], "tls": {
            "certificate": text(&self.path("cert.pem")), "private_key": { "file": text(&self.path("key.pem")) },
            "client_ca": text(&self.path("ca.pem")), "min_version": min_version,
            "client_names": ["spiffe://x/envoy", "spiffe://y/*", "envoy.test"] } }] }),
        )
        .await
    }

    /// A client with a certificate of `authority`; an error when it is turned away.
    async fn connect(
        &self,
        gateway: &Running,
        certificate: Option<(String, String)>,
        version: &'static SupportedProtocolVersion,
    ) -> Result<(Client, Vec<u8>), String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("gatehouse.test").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, gateway.tcp(0).await).await;
        let stream = stream.map_err(|e| e.to_string())?;
        let server = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let mut client = Client::over(stream).await.map_err(|e| e.to_string())?;
        client.raw(CHECK, "1S", frame(&request("/a"))).await.map_err(|e| e.to_string())?;
        Ok((client, server))
    }
}

#[tokio::test]
async fn only_named_clients_of_the_authority_connect() {
    let place = Place::new();
    let gateway = place.start().await;
    let tls13 = &rustls::version::TLS13;
    for name in [uri("spiffe://x/envoy"), uri("spiffe://y/ns/a"), dns("envoy.test"), dns("ENVOY.test")] {
        let (mut client, _) = place.connect(&gateway, Some(place.authority.issue(name)), tls13).await.unwrap();
        assert!(allowed(&client.check("/a").await));
    }
    for name in [
        uri("spiffe://x/envoy2"),
        uri("spiffe://x/"),
        uri("spiffe://y/"),
        uri("spiffe://yy/a"),
        dns("other.test"),
        uri("envoy.test.x:/"),
    ] {
        assert!(place.connect(&gateway, Some(place.authority.issue(name.clone())), tls13).await.is_err(), "{name:?}");
    }
    let stranger = Authority::new().issue(uri("spiffe://x/envoy"));
    assert!(place.connect(&gateway, Some(stranger), tls13).await.is_err(), "of another authority");
    assert!(place.connect(&gateway, None, tls13).await.is_err(), "without a certificate");
    let old = place.authority.issue(uri("spiffe://x/envoy"));
    assert!(place.connect(&gateway, Some(old), &rustls::version::TLS12).await.is_err(), "TLS 1.2");
    assert!(
        Client::over(gateway.tcp(0).await).await.is_err() || {
            let mut plain = Client::over(gateway.tcp(0).await).await.unwrap();
            plain.raw(CHECK, "1S", frame(&request("/a"))).await.is_err()
        }
    );
    gateway.stop().await;
}

#[tokio::test]
async fn older_tls_is_for_who_asks_for_it() {
    let place = Place::new();
    let gateway = place.start_from("1.2").await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let certificate = place.authority.issue(uri("spiffe://x/envoy"));
        let (mut client, _) = place.connect(&gateway, Some(certificate), version).await.unwrap();
        assert!(allowed(&client.check("/a").await), "{version:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_bad_one_is_not() {
    let place = Place::new();
    let gateway = place.start().await;
    let tls13 = &rustls::version::TLS13;
    let client = || Some(place.authority.issue(uri("spiffe://x/envoy")));
    let (mut old, first) = place.connect(&gateway, client(), tls13).await.unwrap();
    place.write("cert.pem", "no certificate");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(place.connect(&gateway, client(), tls13).await.unwrap().1, first, "the old one stays in use");
    place.renew();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_ne!(place.connect(&gateway, client(), tls13).await.unwrap().1, first, "the new one is in use");
    assert!(allowed(&old.check("/a").await), "connections live on");
    assert!(gateway.probes.certificates.lock().unwrap().len() >= 2);
    gateway.stop().await;
}
