//! Status reports: how the bundles are, sent whenever that changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use policy::opa::ServiceClient;
use policy::opa::config::OpaConfig;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::statuses::Statuses;

/// Changes that come together are told together.
const TOGETHER: Duration = Duration::from_millis(200);
/// How long the service may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Between two attempts to tell the same.
const RETRY: Duration = Duration::from_secs(10);

/// Sends reports to a service, the log, or both.
pub(crate) struct Reports {
    statuses: Arc<Statuses>,
    labels: BTreeMap<String, String>,
    service: Option<(ServiceClient, String)>,
    console: bool,
}

impl Reports {
    /// As the section `status` says; `None` without one.
    ///
    /// # Errors
    /// The service cannot be set up.
    pub(crate) fn new(
        config: &OpaConfig,
        labels: &BTreeMap<String, String>,
        statuses: Arc<Statuses>,
    ) -> Result<Option<Self>, String> {
        let Some(status) = &config.status else { return Ok(None) };
        // As with OPA: a section that names no service and no console means the only service.
        let named = status.service.is_some() || !status.console;
        let service = match config.service(status.service.as_deref()).filter(|_| named) {
            Some((_, service)) => {
                let partition = status.partition_name.as_ref().map_or_else(String::new, |name| format!("/{name}"));
                Some((
                    ServiceClient::new(service).map_err(|error| format!("status: {error}"))?,
                    format!("status{partition}"),
                ))
            }
            None => None,
        };
        Ok(Some(Self { statuses, labels: labels.clone(), service, console: status.console }))
    }

    /// Reports until `stop` is called.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let _stopped = stop.run_until_cancelled(self.report()).await;
    }

    async fn report(self) {
        let mut changed = self.statuses.subscribe();
        loop {
            tokio::time::sleep(TOGETHER).await;
            changed.borrow_and_update();
            let told = self.tell().await;
            // Told anew when something changes, or when it could not be told.
            let again = if told { None } else { Some(RETRY) };
            match again {
                None if changed.changed().await.is_err() => return,
                None => {}
                Some(delay) => tokio::time::sleep(delay).await,
            }
        }
    }

    /// False when the service was not reached.
    async fn tell(&self) -> bool {
        let report = self.report_of_now();
        if self.console {
            tracing::info!(status = %report, "Status Log");
        }
        let Some((client, resource)) = &self.service else { return true };
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        match client.post(resource, headers, report.to_string().into(), TIMEOUT).await {
            Ok(answer) if (200..300).contains(&answer.status) => true,
            Ok(answer) => {
                tracing::warn!(status = answer.status, "the status report was refused");
                false
            }
            Err(error) => {
                tracing::warn!(%error, "the status report could not be sent");
                false
            }
        }
    }

    fn report_of_now(&self) -> Value {
        let ready = self.statuses.readiness().ready;
        let state = |ok: bool| json!({ "state": if ok { "OK" } else { "NOT_READY" } });
        json!({
            "labels": self.labels,
            "bundles": self.statuses.all(),
            "plugins": {
                "bundle": state(ready),
                "envoy_ext_authz_grpc": state(true),
                "status": state(true),
            },
        })
    }
}
