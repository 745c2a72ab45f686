//! The small trace that every decision carries: stage, outcome, reason, time.
//!
//! The decision log, the metrics and `gatehouse explain` all read this one structure. The client never sees it.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::reason::Reason;

/// A stage of the request path, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// Host, path and method select a route and tenant.
    #[default]
    Route,
    /// Headers only we may set are stripped; client address and request id are settled.
    Sanitise,
    /// Cheap limits that protect the costly stages.
    Shield,
    /// Credential to principal.
    Authenticate,
    /// Scopes, roles, Rego.
    Authorise,
    /// Rate limits.
    Limit,
    /// Headers and metadata of the answer.
    Respond,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 7] =
        [Self::Route, Self::Sanitise, Self::Shield, Self::Authenticate, Self::Authorise, Self::Limit, Self::Respond];

    /// Stable name, as in logs and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Sanitise => "sanitise",
            Self::Shield => "shield",
            Self::Authenticate => "authenticate",
            Self::Authorise => "authorise",
            Self::Limit => "limit",
            Self::Respond => "respond",
        }
    }
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// The request went on.
    Pass,
    /// The stage ended the journey.
    Stop(Reason),
}

/// One stage in a trace.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which stage.
    pub stage: Stage,
    /// How it ended.
    pub outcome: StepOutcome,
    /// Time spent in it.
    pub elapsed: Duration,
}

/// What happened to one request.
#[derive(Debug)]
pub struct Trace {
    /// The stages that ran, in order.
    pub steps: SmallVec<[Step; 8]>,
    /// Sentences for `explain`, by stage; empty unless explaining.
    pub notes: Vec<(Stage, String)>,
    explaining: bool,
    started: Instant,
    last: Instant,
}

impl Trace {
    /// A trace that starts now. With `explaining`, notes are collected.
    pub fn start(explaining: bool) -> Self {
        let now = Instant::now();
        Self { steps: SmallVec::new(), notes: Vec::new(), explaining, started: now, last: now }
    }

    /// Records the end of a stage; its time runs from the end of the stage before.
    pub fn end(&mut self, stage: Stage, outcome: StepOutcome) {
        let now = Instant::now();
        self.steps.push(Step { stage, outcome, elapsed: now.duration_since(self.last) });
        self.last = now;
    }

    /// Adds a sentence for `explain`; `text` is not called otherwise.
    pub fn note(&mut self, stage: Stage, text: impl FnOnce() -> String) {
        if self.explaining {
            self.notes.push((stage, text()));
        }
    }

    /// True when notes are collected.
    pub const fn explaining(&self) -> bool {
        self.explaining
    }

    /// Time from the start to the end of the last stage.
    pub fn elapsed(&self) -> Duration {
        self.last.duration_since(self.started)
    }
}
