//! What the load generator replays: made once by `bench`, read by `bench-load`.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Requests, and the order to send them in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadPlan {
    /// What is called.
    pub method: Method,
    /// The requests.
    pub frames: Vec<Frame>,
    /// The order; repeated from the start when it ends.
    pub trace: Vec<Turn>,
}

/// A gRPC method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// `envoy.service.auth.v3.Authorization.Check`
    Check,
    /// `envoy.service.ratelimit.v3.RateLimitService.ShouldRateLimit`
    ShouldRateLimit,
}

impl Method {
    /// The `:path` of a call.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Check => "/envoy.service.auth.v3.Authorization/Check",
            Self::ShouldRateLimit => "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
        }
    }
}

/// A request and the answer it must get.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frame {
    /// The protobuf message.
    #[serde(with = "base64_text")]
    pub message: Vec<u8>,
    /// The only right answer.
    pub expect: Verdict,
    /// Where in the message [`NUMBER_DIGITS`] digits are replaced by the number of the turn.
    pub number_at: Vec<usize>,
}

/// One request to send.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Turn {
    /// Which frame.
    pub frame: usize,
    /// The number to write into it; `None` for one that was never used before.
    pub number: Option<u32>,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The request goes on.
    Allow,
    /// The request is refused.
    Deny,
    /// Neither: an error, or an answer that contradicts itself.
    Fault,
}

/// How many decimal digits a number takes in a frame.
pub const NUMBER_DIGITS: usize = 8;
/// Numbers from here on are for requests never seen before; smaller ones are in the traces.
pub const FIRST_FRESH_NUMBER: u32 = 10_000_000;

impl LoadPlan {
    /// All frames in turn.
    pub fn rotating(method: Method, frames: Vec<Frame>) -> Self {
        let trace = (0..frames.len()).map(|frame| Turn { frame, number: Some(0) }).collect();
        Self { method, frames, trace }
    }

    /// The same plan for a server that allows everything.
    #[must_use]
    pub fn all_allowed(mut self) -> Self {
        for frame in &mut self.frames {
            frame.expect = Verdict::Allow;
        }
        self
    }

    /// Writes the plan.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn store(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec(self).context("cannot write the plan as JSON")?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// When the file cannot be read or is no plan.
    pub fn load(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no load plan", file.display()))
    }
}

/// Bytes as text: thousands of requests would be slow to read as lists of numbers.
mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
