//! Metrics: handles that are found once and are plain atomics afterwards.

mod bundle;
mod catalogue;
mod decision_log;
mod histogram;
mod plugin;
mod process;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use model::{Reason, Stage, Timestamp};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use bundle::{BundleMetrics, BundleTimes};
pub use catalogue::catalogue;
pub use decision_log::DecisionLogMetrics;
pub use plugin::PluginMetrics;

use crate::config::LogFormat;
use crate::decision::{DecisionRecord, Outcome};
use crate::{output, spans};
use histogram::Histogram;

/// Something that is worth an operator's attention, counted by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityEvent {
    /// A client sent a header that only Gatehouse may set.
    ForgedHeader,
    /// A credential arrived over clear text.
    PlaintextCredentials,
    /// A path or host that could be read in two ways.
    PathRefused,
    /// A credential that could be read in two ways, or not at all.
    CredentialMalformed,
    /// A token whose header asks for what is not accepted: another algorithm, type or extension.
    TokenRefused,
    /// A signature did not verify.
    SignatureFailed,
    /// A source failed too often.
    BudgetSpent,
    /// A principal of another tenant.
    TenantMismatch,
    /// A request passed although a dependency was lost, because its route says so.
    ErrorTolerated,
}

impl SecurityEvent {
    const ALL: [Self; 9] = [
        Self::ForgedHeader,
        Self::PlaintextCredentials,
        Self::PathRefused,
        Self::CredentialMalformed,
        Self::TokenRefused,
        Self::SignatureFailed,
        Self::BudgetSpent,
        Self::TenantMismatch,
        Self::ErrorTolerated,
    ];

    /// Which decisions are events too.
    const REASONS: [(Reason, Self); 8] = [
        (Reason::PlaintextCredentials, Self::PlaintextCredentials),
        (Reason::PathRefused, Self::PathRefused),
        (Reason::HostRefused, Self::PathRefused),
        (Reason::CredentialMalformed, Self::CredentialMalformed),
        (Reason::TokenHeaderRefused, Self::TokenRefused),
        (Reason::SignatureInvalid, Self::SignatureFailed),
        (Reason::FailureBudgetSpent, Self::BudgetSpent),
        (Reason::TenantMismatch, Self::TenantMismatch),
    ];

    fn of(outcome: Outcome, reason: Option<Reason>) -> Option<Self> {
        if outcome == Outcome::ErrorAllowed {
            return Some(Self::ErrorTolerated);
        }
        Self::REASONS.iter().find(|(known, _)| Some(*known) == reason).map(|(_, event)| *event)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::ForgedHeader => "forged_header",
            Self::PlaintextCredentials => "plaintext_credentials",
            Self::PathRefused => "path_refused",
            Self::CredentialMalformed => "credential_malformed",
            Self::TokenRefused => "token_refused",
            Self::SignatureFailed => "signature_failed",
            Self::BudgetSpent => "budget_spent",
            Self::TenantMismatch => "tenant_mismatch",
            Self::ErrorTolerated => "error_tolerated",
        }
    }
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Decided {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Staged {
    stage: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Resulted {
    result: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Cached {
    cached: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Issued {
    issuer: String,
    result: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Issuer {
    issuer: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Certificate {
    certificate: String,
}

/// The metrics of the process.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// `[outcome][reason]`, the reason's place shifted by one for "none".
    decisions: Vec<Vec<Counter>>,
    stages: Vec<Histogram>,
    checks: Histogram,
    /// `[verified, cached]`
    tokens: [Histogram; 2],
    /// `[miss, hit]`
    policy_cache: [Counter; 2],
    security: Vec<Counter>,
    /// `[ok, over, error]`
    rls: [Counter; 3],
    limit_keys: Gauge,
    key_refresh: Family<Issued, Counter>,
    key_age_limit: Family<Issuer, Gauge>,
    certificates: Family<Certificate, Gauge>,
    generation: Gauge,
    /// `[ok, refused]`
    reloads: [Counter; 2],
    last_reload_ok: Gauge,
    last_success: Gauge<i64, AtomicI64>,
    in_flight: Gauge,
    shed: Counter,
}

impl Metrics {
    /// Registers every metric.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("gatehouse");
        let r = &mut registry;
        let decisions = Family::<Decided, Counter>::default();
        r.register("decisions", "Decisions by outcome and reason", decisions.clone());
        let stages = Family::<Staged, Histogram>::default();
        r.register("stage_duration_seconds", "Time spent in a stage", stages.clone());
        let checks = Histogram::default();
        r.register("check_duration_seconds", "Time from the start of a check to its decision", checks.clone());
        let tokens = Family::<Cached, Histogram>::default();
        r.register("token_validation_duration_seconds", "Time to validate a token", tokens.clone());
        let policy_cache = Family::<Resulted, Counter>::default();
        r.register("policy_cache", "Policy decisions by whether they came from the cache", policy_cache.clone());
        let security = Family::<Kind, Counter>::default();
        r.register("security_events", "Events that are worth attention", security.clone());
        let rls = Family::<Resulted, Counter>::default();
        r.register("rate_limit_calls", "Calls of the rate limit service", rls.clone());
        let limit_keys = Gauge::default();
        r.register("limit_store_keys", "Counters in the limit store", limit_keys.clone());
        let key_refresh = Family::<Issued, Counter>::default();
        r.register("key_refresh", "Refreshes of an issuer's keys", key_refresh.clone());
        let key_age_limit = Family::<Issuer, Gauge>::default();
        r.register(
            "keys_stale_seconds",
            "Seconds until an issuer's keys are too old to be used",
            key_age_limit.clone(),
        );
        let certificates = Family::<Certificate, Gauge>::default();
        r.register("certificate_expiry_seconds", "Seconds until a certificate of ours ends", certificates.clone());
        let generation = Gauge::default();
        r.register("config_generation", "Number of the configuration in force", generation.clone());
        let reloads = Family::<Resulted, Counter>::default();
        r.register("config_reloads", "Configurations that were loaded or refused", reloads.clone());
        let last_reload_ok = Gauge::default();
        r.register(
            "config_last_reload_success",
            "1 when the newest configuration is in force, 0 when it was refused",
            last_reload_ok.clone(),
        );
        let last_success = Gauge::<i64, AtomicI64>::default();
        r.register(
            "config_last_success_timestamp_seconds",
            "When a configuration last came into force",
            last_success.clone(),
        );
        let in_flight = Gauge::default();
        r.register("requests_in_flight", "Requests that are being decided", in_flight.clone());
        let shed = Counter::default();
        r.register("shed", "Requests refused because too many were in flight", shed.clone());
        r.register(
            "build",
            "Version of the program",
            prometheus_client::metrics::info::Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        r.register_collector(Box::new(process::Process));
        let resulted = |family: &Family<Resulted, Counter>, result| family.get_or_create_owned(&Resulted { result });
        Arc::new(Self {
            decisions: Outcome::ALL.iter().map(|o| by_reason(&decisions, *o)).collect(),
            stages: Stage::ALL.iter().map(|s| stages.get_or_create_owned(&Staged { stage: s.as_str() })).collect(),
            checks,
            tokens: ["false", "true"].map(|cached| tokens.get_or_create_owned(&Cached { cached })),
            policy_cache: ["miss", "hit"].map(|result| resulted(&policy_cache, result)),
            security: SecurityEvent::ALL
                .iter()
                .map(|e| security.get_or_create_owned(&Kind { kind: e.as_str() }))
                .collect(),
            rls: ["ok", "over_limit", "error"].map(|result| resulted(&rls, result)),
            limit_keys,
            key_refresh,
            key_age_limit,
            certificates,
            generation,
            reloads: ["ok", "refused"].map(|result| resulted(&reloads, result)),
            last_reload_ok,
            last_success,
            in_flight,
            shed,
            registry: Mutex::new(registry),
        })
    }

    /// The exposition in OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail; a metric that could not be encoded would be missing.
        let _complete = prometheus_client::encoding::text::encode(&mut text, &self.registry.lock());
        text
    }

    /// Counts a decision, writes its line and makes its spans.
    pub fn record(&self, record: &DecisionRecord<'_>) {
        let reason = record.reason.map_or(0, |r| r as usize + 1);
        if let Some(counter) = self.decisions.get(record.outcome as usize).and_then(|row| row.get(reason)) {
            counter.inc();
        }
        if let Some(event) = SecurityEvent::of(record.outcome, record.reason) {
            self.security_event(event);
        }
        for step in &record.trace.steps {
            if let Some(histogram) = self.stages.get(step.stage as usize) {
                histogram.observe(step.elapsed);
            }
        }
        self.checks.observe(record.trace.elapsed());
        if let Some((format, debug)) = output::form()
            && (debug || record.log_allow || record.outcome != Outcome::Allow)
        {
            let line = match format {
                LogFormat::Json => record.json(),
                LogFormat::Text => record.plain().into_bytes(),
            };
            output::queue(line);
        }
        spans::record(record);
    }

    /// Counts the validation of a token.
    pub fn token_validated(&self, elapsed: Duration, cached: bool) {
        let [verified, hit] = &self.tokens;
        if cached { hit.observe(elapsed) } else { verified.observe(elapsed) }
    }

    /// Counts a policy decision.
    pub fn policy_cache(&self, hit: bool) {
        let [miss, found] = &self.policy_cache;
        if hit {
            found.inc()
        } else {
            miss.inc()
        };
    }

    /// Counts a security event that is no decision; those that are come with [`record`](Self::record).
    pub fn security_event(&self, event: SecurityEvent) {
        if let Some(counter) = self.security.get(event as usize) {
            counter.inc();
        }
    }

    /// Counts a call of the rate limit service.
    pub fn rate_limit_call(&self, over: bool, error: bool) {
        let [ok, limited, failed] = &self.rls;
        if error {
            failed
        } else if over {
            limited
        } else {
            ok
        }
        .inc();
    }

    /// States how many counters the limit store has.
    pub fn limit_keys(&self, keys: u64) {
        self.limit_keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Counts a refresh of an issuer's keys.
    pub fn key_refresh(&self, issuer: &str, ok: bool) {
        let labels = Issued { issuer: issuer.to_owned(), result: if ok { "ok" } else { "failed" } };
        self.key_refresh.get_or_create(&labels).inc();
    }

    /// States how long an issuer's keys may still be used; negative when they are too old.
    pub fn keys_stale_in(&self, issuer: &str, seconds: i64) {
        self.key_age_limit.get_or_create(&Issuer { issuer: issuer.to_owned() }).set(seconds);
    }

    /// States when a certificate of ours ends, in seconds from now; negative when it has.
    pub fn certificate_expires_in(&self, name: &str, seconds: i64) {
        self.certificates.get_or_create(&Certificate { certificate: name.to_owned() }).set(seconds);
    }

    /// A configuration came into force.
    pub fn config_loaded(&self, generation: u64, now: Timestamp) {
        let [ok, _] = &self.reloads;
        ok.inc();
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.last_reload_ok.set(1);
        self.last_success.set(now.as_secs());
    }

    /// A configuration was refused; the one before stays in force.
    pub fn config_refused(&self) {
        let [_, refused] = &self.reloads;
        refused.inc();
        self.last_reload_ok.set(0);
    }

    /// A request more or less is being decided.
    pub fn in_flight(&self, delta: i64) {
        self.in_flight.inc_by(delta);
    }

    /// Counts a request that was shed.
    pub fn shed(&self) {
        self.shed.inc();
    }
}

fn by_reason(family: &Family<Decided, Counter>, outcome: Outcome) -> Vec<Counter> {
    let reasons = std::iter::once("none").chain(Reason::ALL.iter().map(|r| r.as_str()));
    reasons.map(|reason| family.get_or_create_owned(&Decided { outcome: outcome.as_str(), reason })).collect()
}
