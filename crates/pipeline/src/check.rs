//! The request path, top to bottom.

use std::sync::Arc;
use std::time::Instant;

use model::{Answer, Class, Clock, Denial, Reason, RequestView, Stage, StepOutcome, Trace};
use ratelimit::Store;
use serde_json::{Map, Value};
use telemetry::{Metrics, Outcome};

use crate::journey::Journey;
use crate::snapshot::Snapshot;
use crate::stages::{authenticate, authorise, limit, panics, respond, route, sanitise, shield};
use crate::trust::{Trust, TrustedView};
use crate::{record, refuse as refusal};

/// What lives as long as the process and is shared by all generations.
pub struct Services {
    /// Counters of the limits.
    pub store: Arc<dyn Store>,
    /// Metrics and the decision log.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// One check to make.
pub struct CheckCall<'a> {
    /// The request as received.
    pub view: &'a dyn RequestView,
    /// When the answer must be ready.
    pub deadline: Option<Instant>,
    /// What the listener believes.
    pub trust: Trust,
    /// Collect sentences for `explain`.
    pub explain: bool,
}

/// A decision: the answer, and what was seen on the way.
#[derive(Debug)]
pub struct Checked {
    /// What to tell Envoy.
    pub answer: Answer,
    /// Dynamic metadata; all values are text, so that Envoy's rate limit filter can use them.
    pub metadata: Map<String, Value>,
    /// Why, unless the request simply passed.
    pub reason: Option<Reason>,
    /// Stage by stage.
    pub trace: Trace,
}

/// Decides one request. Whatever happens inside, there is exactly one answer and one record.
pub async fn check(snapshot: &Snapshot, services: &Services, call: CheckCall<'_>) -> Checked {
    let view = TrustedView::new(call.view, call.trust);
    let mut journey = Journey::begin(&view, services.clock.now(), call.deadline, call.explain);
    let decided = panics::caught(stages(snapshot, services, &mut journey)).await;
    let (answer, outcome, reason) = match decided {
        Ok(allowed) => match journey.tolerated {
            Some(reason) => (Answer::Allow(allowed), Outcome::ErrorAllowed, Some(reason)),
            None => (Answer::Allow(allowed), Outcome::Allow, None),
        },
        Err(denial) => {
            let reason = denial.reason;
            let refused = refusal::render(&denial, &journey);
            journey.denied(denial);
            match reason.class() {
                Class::Denial => (Answer::Deny(refused), Outcome::Deny, Some(reason)),
                Class::Error => (Answer::Error(refused), Outcome::Error, Some(reason)),
            }
        }
    };
    let metadata = respond::metadata(snapshot, &journey, outcome, reason);
    record::record(snapshot, services, &journey, &answer, outcome, reason);
    Checked { answer, metadata, reason, trace: journey.trace }
}

async fn stages<'a>(
    snapshot: &'a Snapshot,
    services: &Services,
    journey: &mut Journey<'a>,
) -> Result<model::Allowed, Denial> {
    // First, because everything after needs to know which rules are in force.
    route::select(snapshot, journey).ended(journey, Stage::Route)?;
    // Before anything reads a header: what only we may set is gone, client address and scheme are settled.
    sanitise::sanitise(snapshot, services, journey).ended(journey, Stage::Sanitise)?;
    // Cheap checks protect the costly stages.
    shield::shield(services, journey).ended(journey, Stage::Shield)?;
    authenticate::authenticate(snapshot, journey).await.ended(journey, Stage::Authenticate)?;
    let permit = authorise::authorise(snapshot, services, journey).await.ended(journey, Stage::Authorise)?;
    // After authorise, so that refused traffic drains nobody's quota.
    limit::limit(permit.steer(), services, journey).ended(journey, Stage::Limit)?;
    respond::respond(&permit, journey).ended(journey, Stage::Respond)
}

/// Ends a stage in the trace.
trait Ended<T> {
    fn ended(self, journey: &mut Journey<'_>, stage: Stage) -> Result<T, Denial>;
}

impl<T> Ended<T> for Result<T, Denial> {
    fn ended(self, journey: &mut Journey<'_>, stage: Stage) -> Self {
        let outcome = match &self {
            Ok(_) => StepOutcome::Pass,
            Err(denial) => {
                if let Some(detail) = &denial.detail {
                    journey.trace.note(stage, || detail.to_string());
                }
                StepOutcome::Stop(denial.reason)
            }
        };
        journey.trace.end(stage, outcome);
        self
    }
}

/// The recorded refusal of a request that could not be read, or that nobody had time for.
pub fn refuse(snapshot: &Snapshot, services: &Services, reason: Reason) -> Checked {
    let empty = model::OwnedRequest::default();
    let view = empty.view();
    let mut journey = Journey::begin(&view, services.clock.now(), None, false);
    journey.trace.end(reason.stage(), StepOutcome::Stop(reason));
    let denial = Denial::new(reason);
    let answer = Answer::Deny(refusal::render(&denial, &journey));
    let metadata = respond::metadata(snapshot, &journey, Outcome::Deny, Some(reason));
    record::record(snapshot, services, &journey, &answer, Outcome::Deny, Some(reason));
    Checked { answer, metadata, reason: Some(reason), trace: journey.trace }
}
