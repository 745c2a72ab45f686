//! Joins the network (`gateway`) to what decides (`pipeline`).

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway::wire::rls::{RlsAnswer, RlsAnswerLimit, RlsAnswerStatus, RlsCall, RlsCallDescriptor};
use gateway::{Check, Decide, Decided, Reply, RlsFault, TrustedAttribute};
use model::Reason;
use pipeline::{CheckCall, Checked, Services, Snapshot, Trust};
use ratelimit::{Override, RlsDescriptor, RlsError, RlsRequest, RlsStatus};

/// Decides by the snapshot of the moment.
pub(crate) struct Decider {
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) services: Arc<Services>,
}

impl Decide for Decider {
    async fn check(&self, check: Check<'_>) -> Reply {
        let http = check.view.http();
        if http.method.is_empty() && http.path.is_empty() {
            // There is nothing to decide on.
            return self.refuse(Reason::MalformedRequest);
        }
        // One generation from start to end.
        let snapshot = self.snapshot.load_full();
        let call =
            CheckCall { view: check.view, deadline: Some(check.deadline), trust: trust(check.trusts), explain: false };
        self.services.metrics.in_flight(1);
        // Counted down even when Envoy cancels the call half-way.
        let _in_flight = InFlight(&self.services);
        decided(pipeline::check(&snapshot, &self.services, call).await)
    }

    fn refuse(&self, reason: Reason) -> Reply {
        decided(pipeline::refuse(&self.snapshot.load(), &self.services, reason))
    }

    fn shed(&self) {
        self.services.metrics.shed();
    }

    fn rate_limit(&self, call: &RlsCall<'_>) -> Result<RlsAnswer, RlsFault> {
        let request = RlsRequest {
            domain: call.domain,
            descriptors: call.descriptors.iter().map(descriptor).collect(),
            hits_addend: call.hits_addend,
        };
        let snapshot = self.snapshot.load();
        match pipeline::should_rate_limit(&snapshot, &self.services, &request) {
            Ok(response) => Ok(RlsAnswer {
                over_limit: response.over_limit,
                statuses: response.statuses.into_iter().map(status).collect(),
                response_headers: response.response_headers,
            }),
            Err(RlsError::StoreLost) => Err(RlsFault::Unavailable),
            Err(
                error @ (RlsError::EmptyDomain
                | RlsError::EmptyDescriptors
                | RlsError::TooManyDescriptors
                | RlsError::InvalidOverride(_)
                | RlsError::TooManyHits),
            ) => Err(RlsFault::Invalid(error.to_string())),
        }
    }
}

struct InFlight<'a>(&'a Services);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight(-1);
    }
}

fn trust(trusts: &BTreeSet<TrustedAttribute>) -> Trust {
    Trust {
        source_address: trusts.contains(&TrustedAttribute::SourceAddress),
        source_principal: trusts.contains(&TrustedAttribute::SourcePrincipal),
        metadata: trusts.contains(&TrustedAttribute::Metadata),
        context_extensions: trusts.contains(&TrustedAttribute::ContextExtensions),
    }
}

fn descriptor<'a>(from: &RlsCallDescriptor<'a>) -> RlsDescriptor<'a> {
    RlsDescriptor {
        entries: from.entries.clone(),
        limit: from.limit.map(|(requests_per_unit, unit)| Override { requests_per_unit, unit }),
        hits_addend: from.hits_addend,
        is_negative_hits: from.is_negative_hits,
    }
}

fn status(from: RlsStatus) -> RlsAnswerStatus {
    RlsAnswerStatus {
        over_limit: from.over,
        limit: from.current_limit.map(|limit| RlsAnswerLimit {
            name: limit.name.unwrap_or_default(),
            requests_per_unit: limit.requests_per_unit,
            unit: limit.unit.number(),
            unit_multiplier: 0,
        }),
        remaining: from.remaining,
        reset_after: from.reset_after,
    }
}

fn decided(checked: Checked) -> Reply {
    Decided { answer: checked.answer, metadata: checked.metadata }.into()
}
