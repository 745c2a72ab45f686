//! The configuration that a discovery bundle holds.

use policy::bundle::{Bundle, News, discovery};
use policy::opa::config::OpaConfig;
use policy::opa::{Loaded, evaluate};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Waits for configurations.
pub(crate) struct Discovered {
    news: mpsc::Receiver<News>,
    boot: Value,
    path: Vec<String>,
}

impl Discovered {
    /// Begins to ask for the bundle, if the configuration names one.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub(crate) fn start(config: &OpaConfig, boot: Value, stop: &CancellationToken) -> Result<Option<Self>, String> {
        let Some(downloader) = discovery(config)? else { return Ok(None) };
        let decision = config.discovery.as_ref().and_then(|discovery| discovery.decision.clone()).unwrap_or_default();
        // `data.a.b` and `a/b` are the same.
        let path = decision.split(['/', '.']).filter(|name| !name.is_empty());
        let path: Vec<String> = path.skip_while(|name| *name == "data").map(str::to_owned).collect();
        let (sender, news) = mpsc::channel(1);
        tokio::spawn(downloader.run(sender, stop.clone()));
        Ok(Some(Self { news, boot, path }))
    }

    /// The next configuration that is one; `None` when there will be no other. What is none is told in the log.
    pub(crate) async fn next(&mut self) -> Option<OpaConfig> {
        loop {
            match self.news.recv().await? {
                News::Unchanged { .. } => {}
                News::Failed { message, http_code, .. } => {
                    tracing::warn!(problem = %message, http_code, "the discovery bundle cannot be had");
                }
                News::Loaded { bundle, activated, .. } => {
                    let (boot, path) = (self.boot.clone(), self.path.clone());
                    let read = tokio::task::spawn_blocking(move || configuration(&bundle, &boot, &path)).await;
                    let read = read.unwrap_or_else(|panic| Err(vec![panic.to_string()]));
                    // The downloader may have been stopped meanwhile.
                    let _gone = activated.send(read.is_ok());
                    match read {
                        Ok(config) => return Some(config),
                        Err(problems) => {
                            for problem in problems {
                                tracing::error!(%problem, "the configuration in the discovery bundle is refused");
                            }
                        }
                    }
                }
            }
        }
    }
}

fn configuration(bundle: &Bundle, boot: &Value, path: &[String]) -> Result<OpaConfig, Vec<String>> {
    let found = if bundle.policies.is_empty() {
        let at = path.iter().try_fold(&bundle.data, |value, name| value.get(name));
        at.cloned().ok_or_else(|| vec![format!("data.{} is not in the bundle", path.join("."))])?
    } else if path.is_empty() {
        return Err(vec![
            "the bundle has policies: say with discovery.decision which rule is the configuration".to_owned(),
        ]);
    } else {
        let mut loaded = Loaded::default();
        loaded.add_bundle(policy::bundle::DISCOVERY, bundle);
        evaluate(&loaded, path)?
    };
    OpaConfig::discovered(boot, &found)
}
