//! What is served on a gRPC connection: Envoy's two services, health and, on request, reflection.
//!
//! Whatever a request does, it gets an answer: bytes that are no request are denied, a panic is a denial,
//! too many requests are denied, a deadline that passes is a denial.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use model::{Answer, PluginAnswer, PluginReply, Reason};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::Service as _;

use crate::config::{ServerPlan, Service, TrustedAttribute};
use crate::decide::{Check, Decide, Decided, Reply, RlsFault};
use crate::grpc::{self, Body, Code, Unreadable};
use crate::reflection::Reflection;
use crate::wire::rls::RlsCall;
use crate::wire::{CheckIndex, Encoded, Scratch, encode_answer, encode_plugin_reply, refuse, rls};

/// What all connections share.
pub(crate) struct Shared<D> {
    pub(crate) decide: Arc<D>,
    pub(crate) plan: Arc<ServerPlan>,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) health: HealthServer<HealthService>,
    pub(crate) reflection: Reflection,
    pub(crate) overloaded: Bytes,
}

/// What one listener offers.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) serves: BTreeSet<Service>,
    pub(crate) trusts: BTreeSet<TrustedAttribute>,
}

/// Counts one request at work, until it is dropped.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<D: Decide> Shared<D> {
    fn enter(&self) -> Option<InFlight<'_>> {
        let guard = InFlight(&self.in_flight);
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if before < self.plan.max_in_flight {
            return Some(guard);
        }
        // Dropping the guard takes this request off the count again.
        self.decide.shed();
        None
    }

    /// Answers one HTTP/2 request.
    pub(crate) async fn serve(&self, offer: &Offer, request: Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            CHECK if offer.serves.contains(&Service::Check) && request.method() == Method::POST => {
                match self.check(offer, request).await {
                    Encoded::Message(bytes) => grpc::message(&bytes),
                    Encoded::Status(code, text) => grpc::status(Code::Other(code), &text),
                }
            }
            SHOULD_RATE_LIMIT if offer.serves.contains(&Service::Ratelimit) && request.method() == Method::POST => {
                self.rate_limit(request).await
            }
            path if path.starts_with("/grpc.health.v1.Health/") => {
                let Ok(response) = self.health.clone().call(request).await;
                response.map(Body::Tonic)
            }
            path if path.starts_with("/grpc.reflection.") && offer.serves.contains(&Service::Reflection) => {
                self.reflection.call(request).await.map(Body::Tonic)
            }
            _ => grpc::status(Code::Unimplemented, "no such method here"),
        }
    }

    async fn check(&self, offer: &Offer, request: Request<Incoming>) -> Encoded {
        let Some(_in_flight) = self.enter() else { return Encoded::Message(self.overloaded.clone()) };
        let now = Instant::now();
        let deadline = grpc::deadline(request.headers(), now, self.plan.max_deadline, self.plan.deadline_reserve);
        // Boxed, because it is large, and hyper and the runtime move what they are given several times.
        let work = caught(Box::pin(self.decide_check(offer, request, deadline)));
        let outcome = match tokio::time::timeout_at(deadline.into(), work).await {
            Ok(Ok(encoded)) => return encoded,
            Ok(Err(Panicked)) => Reason::Internal,
            Err(_elapsed) => Reason::DeadlineExceeded,
        };
        self.refuse(outcome)
    }

    async fn decide_check(&self, offer: &Offer, request: Request<Incoming>, deadline: Instant) -> Encoded {
        let max = self.plan.max_request;
        let bytes = match grpc::read_message(request.into_body(), max).await {
            Ok(bytes) => bytes,
            Err(Unreadable::TooLarge(size)) => {
                return self.refuse_by(Reason::BodyTooLarge, |decide| decide.refuse_size(size, max));
            }
            Err(Unreadable::Malformed | Unreadable::Gone) => return self.refuse(Reason::MalformedRequest),
        };
        let scratch = Scratch::default();
        let Ok(view) = CheckIndex::parse(&bytes, &scratch) else { return self.refuse(Reason::MalformedRequest) };
        encode(&self.decide.check(Check { view: &view, bytes: &bytes, deadline, trusts: &offer.trusts }).await)
    }

    /// A recorded refusal; if even that fails, an unrecorded one.
    fn refuse(&self, reason: Reason) -> Encoded {
        self.refuse_by(reason, |decide| decide.refuse(reason))
    }

    fn refuse_by(&self, reason: Reason, refusal: impl FnOnce(&D) -> Reply) -> Encoded {
        match catch_unwind(AssertUnwindSafe(|| refusal(&self.decide))) {
            Ok(reply) if !allows(&reply) => encode(&reply),
            Ok(_) | Err(_) => Encoded::Message(refuse(reason)),
        }
    }

    async fn rate_limit(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(_in_flight) = self.enter() else { return grpc::message(&rls::refuse()) };
        let deadline =
            grpc::deadline(request.headers(), Instant::now(), self.plan.max_deadline, self.plan.deadline_reserve);
        let work = caught(self.decide_rate_limit(request));
        match tokio::time::timeout_at(deadline.into(), work).await {
            Ok(Ok(response)) => response,
            Ok(Err(Panicked)) | Err(_) => grpc::message(&rls::refuse()),
        }
    }

    async fn decide_rate_limit(&self, request: Request<Incoming>) -> Response<Body> {
        let Ok(bytes) = grpc::read_message(request.into_body(), self.plan.max_request).await else {
            return grpc::message(&rls::refuse());
        };
        self.rate_limit_answer(&bytes)
    }

    /// Apart from the future that reads the request, so that the parsed call does not make it larger.
    fn rate_limit_answer(&self, bytes: &[u8]) -> Response<Body> {
        let Ok(call) = RlsCall::parse(bytes) else { return grpc::message(&rls::refuse()) };
        match self.decide.rate_limit(&call) {
            Ok(answer) => grpc::message(&rls::encode(&answer)),
            Err(RlsFault::Invalid(text)) => grpc::status(Code::InvalidArgument, &text),
            Err(fault @ RlsFault::Unavailable) => grpc::status(Code::Unavailable, &fault.to_string()),
        }
    }
}

fn allows(reply: &Reply) -> bool {
    match reply {
        Reply::Decided(Decided { answer, .. }) => matches!(answer, Answer::Allow(_)),
        Reply::Plugin(PluginReply { answer, .. }) => matches!(answer, PluginAnswer::Allow(_)),
    }
}

fn encode(reply: &Reply) -> Encoded {
    let encoded = match reply {
        Reply::Decided(Decided { answer, metadata }) => encode_answer(answer, metadata).map(Encoded::Message),
        Reply::Plugin(reply) => encode_plugin_reply(reply),
    };
    encoded.unwrap_or_else(|error| {
        tracing::error!(%error, "an answer is not fit for the wire and became a denial");
        Encoded::Message(refuse(Reason::Internal))
    })
}

/// The future panicked.
struct Panicked;

/// Runs a future; its panic becomes a value. Nothing is left half done: what it worked on is dropped with it.
async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx: &mut Context<'_>| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(_panic) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// Path of `envoy.service.auth.v3.Authorization.Check`.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// Path of `envoy.service.ratelimit.v3.RateLimitService.ShouldRateLimit`.
const SHOULD_RATE_LIMIT: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
