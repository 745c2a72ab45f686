//! What operators write: configuration and descriptor files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use authn::{KeyObserver, KeyRing};
use tokio::runtime::Runtime;

/// A file in the form of envoyproxy/ratelimit is read or refused with words.
pub(super) fn descriptors(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(message) = ratelimit::parse_descriptors(text) {
        assert!(!message.is_empty());
    }
}

/// A configuration is built or refused with a list of problems, each with words and a line of the file.
pub(super) fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let name = PathBuf::from("fuzz.yaml");
    let report = match settings::load_texts(Path::new("/nonexistent"), vec![(name, text.to_owned())]) {
        // What a configuration names is read and watched; random names are not for that.
        Ok(_) if NAMES_FILES.iter().any(|key| text.contains(key)) => return,
        Ok(loaded) => match settings::build(&loaded, &KEYS.keys, 1) {
            Ok(built) => {
                assert!(built.report.is_ok());
                return;
            }
            Err(report) => report,
        },
        Err(report) => report,
    };
    assert!(!report.is_ok(), "refused without a problem");
    // A lone carriage return ends a line too (YAML 1.2 §5.4).
    let lines = text.split(['\n', '\r']).count() + 1;
    for finding in report.findings() {
        assert!(!finding.message.is_empty() && finding.line <= lines, "{finding:?}");
    }
}

const NAMES_FILES: [&str; 9] = ["file", "url", "tls", "bundles", "descriptors", "jwks", "secret", "env", "\\"];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    crypto::install_default_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = net::Client::new(net::ClientConfig::default()).expect("a client");
    Keys { keys: KeyRing::new(client, runtime.handle().clone(), Arc::new(Nobody)), _runtime: runtime }
});

struct Keys {
    keys: KeyRing,
    _runtime: Runtime,
}

struct Nobody;

impl KeyObserver for Nobody {}
