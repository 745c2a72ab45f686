use std::path::Path;
use std::time::Duration;

use tests::upstream::Upstream;
use tests::{Ask, Authority, Client, Envoy, EnvoyOptions, Protocol, Sample, tls_trusting};

fn options(folder: &Path, sample: Sample, upstream_port: u16) -> EnvoyOptions {
    EnvoyOptions {
        sample,
        socket: folder.join("g.sock"),
        gatehouse_port: tests::free_port().unwrap(),
        upstream_port,
        tls: folder.to_path_buf(),
        patience: Duration::from_millis(250),
        naive: false,
        failure_mode_allow: false,
    }
}

fn certificates(folder: &Path) -> Authority {
    let authority = Authority::new().unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    authority.issue(folder, "envoy", &["spiffe://example.org/envoy"]).unwrap();
    authority.issue(folder, "server", &["api.example.com"]).unwrap();
    authority
}

#[test]
fn every_sample_is_good_for_the_real_envoy() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    certificates(folder.path());
    for sample in Sample::ALL {
        let file = folder.path().join("envoy.yaml");
        std::fs::write(&file, options(folder.path(), sample, 1).render(10_000, 9_901).unwrap()).unwrap();
        Envoy::validate(&file).unwrap();
    }
}

#[test]
fn every_file_of_the_folder_is_a_known_sample() {
    let mut found: Vec<_> = std::fs::read_dir(tests::repository().join("envoy"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    let mut known = Sample::ALL.map(Sample::file).to_vec();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

#[test]
fn a_bad_configuration_would_be_noticed() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let file = folder.path().join("envoy.yaml");
    let text = options(folder.path(), Sample::Tcp, 1).render(10_000, 9_901).unwrap();
    std::fs::write(&file, text.replace("failure_mode_allow:", "failure_mode_alow:")).unwrap();
    let error = Envoy::validate(&file).unwrap_err().to_string();
    assert!(error.contains("failure_mode_alow"), "{error}");
}

/// The first thing that has to hold: without Gatehouse nothing passes, over no sample and no protocol.
#[tokio::test(flavor = "multi_thread")]
async fn without_gatehouse_nothing_passes() {
    for sample in Sample::ALL {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let authority = certificates(folder.path());
        let upstream = Upstream::start().await.unwrap();
        let envoy = Envoy::start(folder.path(), &options(folder.path(), sample, upstream.port())).await.unwrap();
        for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Grpc] {
            let mut client = Client::new(envoy.port(), protocol);
            if sample == Sample::Mtls {
                client = client.tls(tls_trusting(&authority.pem()).unwrap());
            }
            let reply = client.send(&Ask::get("/orders/7")).await.unwrap();
            if protocol == Protocol::Grpc {
                assert_eq!(reply.grpc_status(), Some(14), "{sample:?}");
            } else {
                assert_eq!(reply.status, 503, "{sample:?} {protocol:?}: {}", reply.text());
            }
        }
        assert_eq!(upstream.hits(), 0, "{sample:?}");
    }
}
