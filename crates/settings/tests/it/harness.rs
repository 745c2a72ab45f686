//! Builds configurations without a network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use authn::KeyRing;
use config::Report;
use settings::{Built, Loaded};

/// What `gatehouse check` says about a text.
pub(crate) fn problems(text: &str) -> String {
    let texts = vec![(PathBuf::from("gatehouse.yaml"), text.to_owned())];
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    match settings::load_texts(&base, texts).and_then(|loaded| compile(&loaded)) {
        Ok(built) => built.report.to_string(),
        Err(report) => report.to_string(),
    }
}

/// Builds a file.
pub(crate) fn build(path: &Path) -> Result<Built, Report> {
    compile(&settings::load(path)?)
}

fn compile(loaded: &Loaded) -> Result<Built, Report> {
    crypto::install_default_provider();
    // Never driven: nothing is fetched.
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = net::Client::new(net::ClientConfig::default()).unwrap();
    let keys = KeyRing::new(client, idle.handle().clone(), Arc::new(Nobody));
    settings::build(loaded, &keys, 1)
}

struct Nobody;

impl authn::KeyObserver for Nobody {}
