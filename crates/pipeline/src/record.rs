//! Every exit is recorded once: metrics, decision log, span.

use model::{Answer, Reason};
use telemetry::{DecisionRecord, Outcome};

use crate::check::Services;
use crate::journey::Journey;
use crate::snapshot::Snapshot;

pub(crate) fn record(
    snapshot: &Snapshot,
    services: &Services,
    journey: &Journey<'_>,
    answer: &Answer,
    outcome: Outcome,
    reason: Option<Reason>,
) {
    let http = journey.ctx.view.http();
    let route = journey.route;
    services.metrics.record(&DecisionRecord {
        decision_id: &journey.decision_id,
        request_id: &journey.ctx.request_id,
        generation: snapshot.generation,
        api: route.map_or("", |r| &r.api),
        route: route.map_or("", |r| &r.name),
        attributes: route.map(|r| &r.attributes),
        tenant: journey.ctx.tenant.as_deref(),
        method: http.method,
        scheme: journey.ctx.scheme.as_str(),
        host: &journey.ctx.host,
        path: &journey.ctx.path,
        client_address: journey.ctx.client_address,
        identity: journey.identity.as_ref(),
        outcome,
        reason,
        status: match answer {
            Answer::Allow(_) => 200,
            Answer::Deny(refusal) | Answer::Error(refusal) => refusal.status,
        },
        detail: journey.denial.as_ref().and_then(|d| d.detail.as_deref()),
        trace: &journey.trace,
        policy_cached: journey.policy_cached,
        log_allow: route.is_some_and(|r| r.log_all),
        traceparent: journey.ctx.header("traceparent"),
        now: journey.ctx.now,
    });
}
