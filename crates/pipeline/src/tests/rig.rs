//! A pipeline over a configuration in JSON.

use std::sync::Arc;

use authn::{AuthnConfig, KeyObserver, KeyRing};
use config::{Path, Problems};
use model::clock::ManualClock;
use model::{Answer, HeaderEdit, OwnedRequest, Refusal, Timestamp};
use policy::{BundleConfig, PolicyConfig};
use ratelimit::{Charge, Charging, LimitStatus, MemoryStore, RateLimitConfig, Store, StoreError};
use serde_json::Value;
use smallvec::SmallVec;
use telemetry::Metrics;
use tokio::runtime::Runtime;

use crate::config::{ClientAddressConfig, PipelineConfig, ShieldConfig, TenantsConfig};
use crate::{ApiConfig, CheckCall, Checked, Services, Snapshot, SnapshotParts, Trust};

pub(super) struct Rig {
    pub(super) snapshot: Snapshot,
    pub(super) services: Services,
    pub(super) clock: Arc<ManualClock>,
    pub(super) trust: Trust,
    runtime: Runtime,
}

struct Nobody;

impl KeyObserver for Nobody {}

/// A store that is never there.
pub(super) struct LostStore;

impl Store for LostStore {
    fn charge(&self, _: &[Charge<'_>], _: Charging, _: Timestamp) -> Result<SmallVec<[LimitStatus; 4]>, StoreError> {
        Err(StoreError::Lost("gone".to_owned()))
    }

    fn keys(&self) -> u64 {
        0
    }
}

/// What is wrong with some APIs, or the rig that runs them.
pub(super) fn build(apis: &Value, rest: &Value) -> Result<Rig, Vec<String>> {
    let section = |name: &str| rest.get(name).cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let apis: Vec<ApiConfig> = serde_json::from_value(apis.clone()).unwrap();
    let tenants: TenantsConfig = serde_json::from_value(section("tenants")).unwrap();
    let roles = serde_json::from_value(section("roles")).unwrap();
    let shield: ShieldConfig = serde_json::from_value(section("shield")).unwrap();
    let client_address: ClientAddressConfig = serde_json::from_value(section("client_address")).unwrap();
    let ratelimit: RateLimitConfig = serde_json::from_value(section("ratelimit")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = net::Client::new(net::ClientConfig::default()).unwrap();
    let keys = KeyRing::new(client, runtime.handle().clone(), Arc::new(Nobody));
    let (root, mut problems) = (Path::root(), Problems::new());
    // Bundles as they are written here: a policy by the bundle's name, isolated when the name says so.
    let folder = tempfile::tempdir().unwrap();
    let mut policies = PolicyConfig::default();
    for (name, policy) in section("policies").as_object().unwrap() {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("policy.rego"), policy.as_str().unwrap()).unwrap();
        policies.bundles.insert(name.clone(), BundleConfig { path, isolated: name.starts_with("isolated") });
    }
    let config = PipelineConfig {
        client_address: &client_address,
        tenants: &tenants,
        roles: &roles,
        shield: &shield,
        apis: &apis,
    };
    let parts = SnapshotParts {
        generation: 7,
        authenticator: AuthnConfig::default().compile(&root, &mut problems, &keys),
        policy: policies.compile(&root, &mut problems, &config.entry_points()),
        limits: ratelimit.compile(&root, &mut problems),
    };
    let snapshot = crate::compile(&config, parts, &mut problems);
    let Some(snapshot) = snapshot else {
        return Err(problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect());
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)));
    let services =
        Services { store: Arc::new(MemoryStore::new(10_000)), metrics: Metrics::new(), clock: Arc::clone(&clock) as _ };
    Ok(Rig { snapshot, services, clock, trust: Trust::default(), runtime })
}

impl Rig {
    pub(super) fn check(&self, request: &OwnedRequest) -> Checked {
        let view = request.view();
        let call = CheckCall { view: &view, deadline: None, trust: self.trust, explain: true };
        self.runtime.block_on(crate::check(&self.snapshot, &self.services, call))
    }

    /// The reason of a refusal, or `allow`.
    pub(super) fn outcome(&self, request: &OwnedRequest) -> &'static str {
        let checked = self.check(request);
        match checked.answer {
            Answer::Allow(_) => "allow",
            Answer::Deny(_) | Answer::Error(_) => checked.reason.unwrap().as_str(),
        }
    }
}

pub(super) fn refusal(checked: &Checked) -> &Refusal {
    match &checked.answer {
        Answer::Deny(refusal) | Answer::Error(refusal) => refusal,
        Answer::Allow(_) => panic!("allowed"),
    }
}

pub(super) fn value<'a>(headers: &'a [HeaderEdit], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|h| h.name == name);
    let first = found.next().map(|h| h.value.as_str());
    assert!(found.next().is_none(), "{name} is set twice");
    first
}
