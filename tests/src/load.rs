//! A bounded load generator: a fixed number of connections on loopback, each with one request at a time.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::client::{Ask, Client, Protocol, Reply};

/// What is sent.
#[derive(Debug, Clone)]
pub struct Load {
    /// Envoy's port.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// Connections.
    pub connections: usize,
    /// All connections together send no more than this in a second.
    pub per_second: u32,
    /// For how long.
    pub lasting: Duration,
    /// The requests, taken in turn.
    pub requests: Vec<Ask>,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every answer.
    pub replies: Vec<Reply>,
    /// Requests that had none: the connection broke.
    pub broken: Vec<String>,
}

impl Outcome {
    /// How many answers had this status.
    pub fn count(&self, status: u16) -> usize {
        self.replies.iter().filter(|reply| reply.status == status).count()
    }

    /// What is wrong when there is anything but answers with these statuses: how many, and the first of them.
    pub fn surprise(&self, statuses: &[u16]) -> Option<String> {
        if let Some(first) = self.broken.first() {
            return Some(format!("{} requests had no answer, such as: {first}", self.broken.len()));
        }
        let others: Vec<&Reply> = self.replies.iter().filter(|reply| !statuses.contains(&reply.status)).collect();
        let first = others.first()?;
        Some(format!("{} of {} answers, such as {} {}", others.len(), self.replies.len(), first.status, first.text()))
    }
}

/// Sends the load and returns all answers.
///
/// # Errors
/// When a task of its own fails.
pub async fn run(load: Load) -> anyhow::Result<Outcome> {
    let mut tasks = JoinSet::new();
    let connections = load.connections.max(1);
    for index in 0..connections {
        tasks.spawn(one_connection(load.clone(), index));
    }
    let mut all = Outcome::default();
    while let Some(part) = tasks.join_next().await {
        let part = part.context("a connection of the load failed")?;
        all.replies.extend(part.replies);
        all.broken.extend(part.broken);
    }
    Ok(all)
}

async fn one_connection(load: Load, index: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut client = Client::new(load.port, load.protocol);
    let share = f64::from(load.per_second) / load.connections.max(1) as f64;
    let pause = Duration::from_secs_f64(1.0 / share.max(0.001));
    let begin = Instant::now();
    for (number, ask) in load.requests.iter().cycle().skip(index).enumerate() {
        let due = pause.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        if due >= load.lasting || begin.elapsed() >= load.lasting {
            break;
        }
        tokio::time::sleep(due.saturating_sub(begin.elapsed())).await;
        match client.send(ask).await {
            Ok(reply) => outcome.replies.push(reply),
            Err(error) => outcome.broken.push(format!("{error:#}")),
        }
    }
    outcome
}
