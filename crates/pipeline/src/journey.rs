//! What is known about a request so far. It outlives the stages, so that `record` sees it on every exit.

use model::{Class, Denial, Identity, Reason, RequestContext, Trace};

use crate::router::Captures;
use crate::snapshot::Route;

/// A request on its way.
pub(crate) struct Journey<'a> {
    /// The normalised view, filled stage by stage.
    pub(crate) ctx: RequestContext<'a>,
    /// The route, once found.
    pub(crate) route: Option<&'a Route>,
    /// Captured path segments, in the order of the route's names.
    pub(crate) captures: Vec<String>,
    /// The path differs from what was received and has to be overwritten.
    pub(crate) path_changed: bool,
    /// A CORS preflight.
    pub(crate) preflight: bool,
    /// Received headers that must not reach the upstream.
    pub(crate) forged: smallvec::SmallVec<[&'a str; 4]>,
    /// Who is calling, once known.
    pub(crate) identity: Option<Identity>,
    /// Random name of this decision.
    pub(crate) decision_id: String,
    /// Whether the policy's decision came from the cache.
    pub(crate) policy_cached: Option<bool>,
    /// An error that the route lets pass.
    pub(crate) tolerated: Option<Reason>,
    /// What the limits left, for the headers of the answer.
    pub(crate) quota: Option<crate::stages::limit::Quota>,
    /// Dynamic metadata that a policy wants.
    pub(crate) metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// What ended the journey.
    pub(crate) denial: Option<Denial>,
    /// What happened.
    pub(crate) trace: Trace,
}

impl Journey<'_> {
    /// Keeps what ended the journey, for the record and the metadata.
    pub(crate) fn denied(&mut self, denial: Denial) {
        self.denial = Some(denial);
    }

    /// An error that the route lets pass is kept for the record; everything else ends the journey.
    pub(crate) fn tolerate(&mut self, denial: Denial) -> Result<(), Denial> {
        let passes = denial.reason.class() == Class::Error && self.route.is_some_and(|route| route.error_passes);
        if !passes {
            return Err(denial);
        }
        self.tolerated = Some(denial.reason);
        Ok(())
    }

    /// Fails when there is no time left to answer.
    pub(crate) fn in_time(&self) -> Result<(), Denial> {
        match self.ctx.deadline {
            Some(deadline) if std::time::Instant::now() >= deadline => Err(Reason::DeadlineExceeded.into()),
            _ => Ok(()),
        }
    }

    /// Takes over what the router captured.
    pub(crate) fn captured(&mut self, captures: &Captures<'_>) {
        self.captures = captures.iter().map(|c| (*c).to_owned()).collect();
    }
}
