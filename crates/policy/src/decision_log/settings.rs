//! From OPA's configuration to what is logged, and where.

use std::path::Path;
use std::time::Duration;

use super::chunk::{DEFAULT_LIMIT, LARGEST_LIMIT};
use super::event::Asked;
use super::store::StoreOptions;
use crate::opa::config::{DecisionLogs, OpaConfig, PluginConfig, Reporting};
use crate::opa::{Delays, LogRules, ServiceClient};

/// Where things are kept when `persistence_directory` is absent, and the folder in it.
const PERSISTENCE: &str = ".opa";
const FOLDER: &str = "decision_logs";
/// `buffer_size_limit_bytes` when absent.
const BOUND: u64 = 256 << 20;
/// `min_delay_seconds` and `max_delay_seconds` when absent.
const DELAYS: (u64, u64) = (300, 600);

/// What the section `decision_logs` says.
#[derive(Debug)]
pub struct Settings {
    /// Whether decisions are written to the log of the process.
    pub console: bool,
    /// Where they are uploaded to.
    pub upload: Option<Upload>,
    /// How many are uploaded in a second at most.
    pub per_second: Option<f64>,
}

/// Uploads to a service.
#[derive(Debug)]
pub struct Upload {
    /// The service.
    pub client: ServiceClient,
    /// The path there.
    pub path: String,
    /// When.
    pub delays: Delays,
    /// What waits.
    pub store: StoreOptions,
}

impl Settings {
    /// What the configuration says; `None` when nothing is to be logged.
    ///
    /// # Errors
    /// Every problem, one line each.
    pub fn read(config: &OpaConfig) -> Result<Option<Self>, Vec<String>> {
        let Some(logs) = &config.decision_logs else { return Ok(None) };
        let mut problems = reporting_problems(&logs.reporting);
        let upload = upload(config, logs).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        if !problems.is_empty() {
            return Err(problems.into_iter().map(|problem| format!("decision_logs: {problem}")).collect());
        }
        // As with OPA, a section without anywhere to log to asks for nothing.
        let asks = logs.console || upload.is_some();
        let per_second = logs.reporting.max_decisions_per_second;
        Ok(asks.then_some(Self { console: logs.console, upload, per_second }))
    }
}

/// The rules that mask and drop.
pub fn log_rules(config: &OpaConfig) -> LogRules {
    let path = |text: &String| text.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let mut rules = LogRules::default();
    if let Some(logs) = &config.decision_logs {
        rules.mask = logs.mask_decision.as_ref().map_or(rules.mask, path);
        rules.drop = logs.drop_decision.as_ref().map_or(rules.drop, path);
    }
    rules
}

impl Asked {
    /// What the plugin is configured to ask for.
    pub fn of(plugin: &PluginConfig) -> Self {
        match (&plugin.path, &plugin.query) {
            (None, Some(query)) => Self::Query(query.clone()),
            _ => Self::Path(plugin.decision().to_owned()),
        }
    }
}

/// A service that is named, or the only one when there is no console either.
fn upload(config: &OpaConfig, logs: &DecisionLogs) -> Result<Option<Upload>, String> {
    if logs.service.is_none() && (logs.console || config.services.is_empty()) {
        return Ok(None);
    }
    let Some((name, service)) = config.service(logs.service.as_deref()) else {
        return Err("say which of `services` with `service`".to_owned());
    };
    let client = ServiceClient::new(service).map_err(|problem| format!("service {name}: {problem}"))?;
    let path = match &logs.partition_name {
        Some(partition) if !partition.is_empty() => format!("logs/{partition}"),
        _ => logs.resource.clone().unwrap_or_else(|| "logs".to_owned()),
    };
    let reporting = logs.reporting;
    let seconds = reporting.min_delay_seconds.zip(reporting.max_delay_seconds).unwrap_or(DELAYS);
    let delays = Delays { min: Duration::from_secs(seconds.0), max: Duration::from_secs(seconds.1) };
    let limit = reporting.upload_size_limit_bytes.and_then(|limit| usize::try_from(limit).ok());
    let root = Path::new(config.persistence_directory.as_deref().unwrap_or(PERSISTENCE));
    let store = StoreOptions {
        folder: root.join(FOLDER),
        upload_bytes: limit.unwrap_or(DEFAULT_LIMIT),
        // Zero is OPA's word for no bound, and everything here has one.
        bound_bytes: reporting.buffer_size_limit_bytes.filter(|bound| *bound > 0).unwrap_or(BOUND),
    };
    Ok(Some(Upload { client, path, delays, store }))
}

fn reporting_problems(reporting: &Reporting) -> Vec<String> {
    let mut problems = Vec::new();
    match (reporting.min_delay_seconds, reporting.max_delay_seconds) {
        (Some(min), Some(max)) if max < min => {
            problems.push("reporting: max_delay_seconds must be at least min_delay_seconds".to_owned());
        }
        (Some(_), None) | (None, Some(_)) => {
            problems.push("reporting: set both of min_delay_seconds and max_delay_seconds, or none".to_owned());
        }
        _ => {}
    }
    if reporting.upload_size_limit_bytes.is_some_and(|limit| limit == 0 || limit > LARGEST_LIMIT as u64) {
        problems.push(format!("reporting.upload_size_limit_bytes: must be from 1 to {LARGEST_LIMIT}"));
    }
    if reporting.max_decisions_per_second.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        problems.push("reporting.max_decisions_per_second: must be more than 0".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(document: Value) -> Result<Option<Settings>, Vec<String>> {
        Settings::read(&serde_json::from_value(document).unwrap())
    }

    fn services(names: &[&str]) -> Value {
        names.iter().map(|name| ((*name).to_owned(), json!({ "url": "http://127.0.0.1:1/base/" }))).collect()
    }

    #[test]
    fn where_decisions_go_is_as_opa_decides() {
        let of = |services: Value, logs: Value| read(json!({ "services": services, "decision_logs": logs }));
        assert!(read(json!({})).unwrap().is_none());
        assert!(of(json!({}), json!({})).unwrap().is_none());
        let settings = of(services(&["a", "b"]), json!({ "console": true })).unwrap().unwrap();
        assert!(settings.console && settings.upload.is_none());
        let settings = of(services(&["a"]), json!({})).unwrap().unwrap();
        assert!(!settings.console && settings.upload.is_some());
        let settings = of(services(&["a", "b"]), json!({ "console": true, "service": "b" })).unwrap().unwrap();
        assert!(settings.console && settings.upload.is_some());
        let problems = of(services(&["a", "b"]), json!({})).unwrap_err();
        assert!(problems[0].contains("say which of `services`"), "{problems:?}");
    }

    #[test]
    fn defaults_are_those_of_opa() {
        let upload =
            read(json!({ "services": services(&["a"]), "decision_logs": {} })).unwrap().unwrap().upload.unwrap();
        assert_eq!(upload.client.address(&upload.path), "http://127.0.0.1:1/base/logs");
        assert_eq!(upload.delays, Delays { min: Duration::from_secs(300), max: Duration::from_secs(600) });
        assert_eq!(
            upload.store,
            StoreOptions { folder: ".opa/decision_logs".into(), upload_bytes: 32_768, bound_bytes: 256 << 20 }
        );
    }

    #[test]
    fn what_is_written_is_taken() {
        let of = |logs: Value| {
            let document =
                json!({ "services": services(&["a"]), "persistence_directory": "/p", "decision_logs": logs });
            read(document).unwrap().unwrap().upload.unwrap()
        };
        let upload = of(json!({ "resource": "/x/y", "partition_name": "p",
            "reporting": { "min_delay_seconds": 1, "max_delay_seconds": 2, "upload_size_limit_bytes": 9,
                "buffer_size_limit_bytes": 7 } }));
        // As OPA, the partition wins.
        assert_eq!(upload.path, "logs/p");
        assert_eq!(upload.delays, Delays { min: Duration::from_secs(1), max: Duration::from_secs(2) });
        assert_eq!((upload.store.folder.to_str(), upload.store.upload_bytes), (Some("/p/decision_logs"), 9));
        assert_eq!(upload.store.bound_bytes, 7);
        assert_eq!(of(json!({ "resource": "/x/y" })).client.address("/x/y"), "http://127.0.0.1:1/base/x/y");
    }

    #[test]
    fn what_cannot_be_served_is_a_problem() {
        for (reporting, part) in [
            (json!({ "min_delay_seconds": 1 }), "set both"),
            (json!({ "min_delay_seconds": 2, "max_delay_seconds": 1 }), "at least min_delay_seconds"),
            (json!({ "upload_size_limit_bytes": 0 }), "upload_size_limit_bytes"),
            (json!({ "upload_size_limit_bytes": 4_294_967_296_u64 }), "upload_size_limit_bytes"),
            (json!({ "max_decisions_per_second": 0 }), "max_decisions_per_second"),
        ] {
            let document = json!({ "services": services(&["a"]), "decision_logs": { "reporting": reporting } });
            let problems = read(document).unwrap_err();
            assert!(problems[0].starts_with("decision_logs: reporting") && problems[0].contains(part), "{problems:?}");
        }
    }

    #[test]
    fn rules_are_found_by_their_paths() {
        let rules = |logs: Value| log_rules(&serde_json::from_value(json!({ "decision_logs": logs })).unwrap());
        assert_eq!(rules(json!({})), LogRules::default());
        let own = rules(json!({ "mask_decision": "/own/hidden", "drop_decision": "own/skipped" }));
        assert_eq!((own.mask.join("."), own.drop.join(".")), ("own.hidden".to_owned(), "own.skipped".to_owned()));
    }
}
