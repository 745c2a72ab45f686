//! Promises that a configuration makes about itself.

use config::{Path, Problems};
use pipeline::{ApiConfig, LogConfig};
use serde_json::Value;

/// Regimes that ask for a record of every access, allowed ones included (PCI DSS 4.0 §10.2.1.1).
const LOGGED_REGIMES: [&str; 1] = ["pci"];

/// Warns where a route is said to fall under a regime, and does not log what the regime asks for.
pub(crate) fn check(apis: &[ApiConfig], at: &Path, problems: &mut Problems) {
    for (api_index, api) in apis.iter().enumerate() {
        let api_at = at.index(api_index);
        for (index, route) in api.routes.iter().enumerate() {
            let named = route.attributes.get("compliance").or_else(|| api.attributes.get("compliance"));
            let Some(regime) = named.and_then(logged_regime) else { continue };
            let log = route.log.or(api.log).unwrap_or_default();
            if log != LogConfig::All {
                let message = format!("compliance `{regime}` asks for a record of every access: add `log: all`");
                problems.warn(&api_at.key("routes").index(index), message);
            }
        }
    }
}

/// `compliance: [pci]` or `compliance: pci`, in any case.
fn logged_regime(value: &Value) -> Option<&'static str> {
    let is = |value: &Value, regime: &str| value.as_str().is_some_and(|v| v.eq_ignore_ascii_case(regime));
    LOGGED_REGIMES.into_iter().find(|regime| match value {
        Value::Array(items) => items.iter().any(|item| is(item, regime)),
        Value::String(_) => is(value, regime),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    })
}
