//! `http.send`, without ever holding a worker.
//!
//! Evaluation does not wait. A call whose answer is not there yet leaves a note, and what the evaluation gives is thrown away; the
//! request is sent while the worker does other work, and the evaluation runs again with the answer.
//!
//! ```text
//! run policy ──► http.send(r): answer of r known? ──yes──► value
//!      ▲                          │ no: wanted = r, undefined
//!      └── answers += send(r) ◄───┘   (allow-list, deadline, cache)
//! ```

mod cache;
mod client;
mod config;
mod exchange;
mod request;
mod response;

#[cfg(test)]
mod tests;

pub use client::HttpSender;
pub use config::HttpSendConfig;
pub(crate) use exchange::{Exchange, MAX_REQUESTS, call};
