//! Joins the network (`gateway`) to a policy in the place of opa-envoy-plugin.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use gateway::wire::rls::{RlsAnswer, RlsCall};
use gateway::wire::{Encoded, encode_plugin_reply};
use gateway::{Check, Decide, Reply, RlsFault};
use model::{PluginReply, Reason};
use policy::opa::Outcome;
use policy::opa::config::PluginConfig;
use telemetry::PluginMetrics;

use super::activation::Active;
use super::logs::Logs;

/// Codes of gRPC.
const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
const RESOURCE_EXHAUSTED: u8 = 8;
const INTERNAL: u8 = 13;
/// The longest answer of the plugin when nothing is said; no answer is that long.
const NO_LIMIT: usize = 0x7fff_ffff;

/// Decides by the policies of the moment.
pub(crate) struct OpaDecider {
    active: Arc<ArcSwapOption<Active>>,
    strict: bool,
    /// The longest answer, when there is such a limit.
    max_answer: Option<usize>,
    /// `None` unless performance metrics are on.
    metrics: Option<Arc<PluginMetrics>>,
    logs: Option<Arc<Logs>>,
}

impl OpaDecider {
    pub(crate) fn new(
        plugin: &PluginConfig,
        active: Arc<ArcSwapOption<Active>>,
        metrics: Option<Arc<PluginMetrics>>,
        logs: Option<Arc<Logs>>,
    ) -> Self {
        let max_answer = usize::try_from(plugin.grpc_max_send_msg_size).ok().filter(|max| *max < NO_LIMIT);
        Self { active, strict: plugin.strict, max_answer, metrics, logs }
    }

    /// Bundles are on their way: nothing is allowed by a part of the policies.
    fn not_ready(&self) -> Reply {
        if let Some(metrics) = &self.metrics {
            metrics.failed("envoyauth_eval_error");
        }
        Reply::Plugin(PluginReply::fault(UNKNOWN, "not all bundles are active", self.strict))
    }

    /// An answer that is too long becomes a fault, as by the server that the plugin is built with.
    fn fitting(&self, reply: PluginReply) -> PluginReply {
        let Some(max) = self.max_answer else { return reply };
        match encode_plugin_reply(&reply) {
            Ok(Encoded::Message(bytes)) if bytes.len() > max => {
                let message = format!("grpc: trying to send message larger than max ({} vs. {max})", bytes.len());
                PluginReply::fault(RESOURCE_EXHAUSTED, message, self.strict)
            }
            Ok(_) | Err(_) => reply,
        }
    }
}

impl Decide for OpaDecider {
    async fn check(&self, check: Check<'_>) -> Reply {
        // One revision of all bundles from start to end.
        let Some(active) = self.active.load_full() else { return self.not_ready() };
        let (reply, record) = active.plugin.check(check.view, check.deadline).await;
        if let Some(metrics) = &self.metrics {
            match &record.outcome {
                Outcome::Result(_) => metrics.checked(record.handler),
                Outcome::Error { code, .. } => metrics.failed(code),
            }
        }
        if let Some(logs) = &self.logs {
            logs.decided(active, check.bytes.clone(), record);
        }
        Reply::Plugin(self.fitting(reply))
    }

    fn refuse(&self, reason: Reason) -> Reply {
        let (code, message) = if reason == Reason::MalformedRequest {
            (INTERNAL, "grpc: error unmarshalling request")
        } else if reason == Reason::DeadlineExceeded {
            (DEADLINE_EXCEEDED, "context deadline exceeded")
        } else {
            (INTERNAL, reason.as_str())
        };
        if let Some(metrics) = &self.metrics {
            metrics.failed("unknown_context_error");
        }
        Reply::Plugin(PluginReply::fault(code, message, self.strict))
    }

    fn refuse_size(&self, size: usize, max: usize) -> Reply {
        if let Some(metrics) = &self.metrics {
            metrics.failed("unknown_context_error");
        }
        let message = format!("grpc: received message larger than max ({size} vs. {max})");
        Reply::Plugin(PluginReply::fault(RESOURCE_EXHAUSTED, message, self.strict))
    }

    fn rate_limit(&self, _: &RlsCall<'_>) -> Result<RlsAnswer, RlsFault> {
        Err(RlsFault::Invalid("no rate limits here".to_owned()))
    }
}
