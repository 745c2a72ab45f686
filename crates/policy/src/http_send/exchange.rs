//! What one decision has asked and been answered.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::{Result, bail};
use regorus::Value;

use super::request::Request;

/// The most requests of one decision.
pub(crate) const MAX_REQUESTS: usize = 16;

thread_local! {
    /// The exchange of the evaluation that runs now.
    static CURRENT: RefCell<Option<Exchange>> = const { RefCell::new(None) };
}

/// Answers so far, and the request that is missing one.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    answers: Vec<(Arc<Request>, Result<Value, String>)>,
    wanted: Option<Arc<Request>>,
}

impl Exchange {
    /// Runs an evaluation that may call `http.send`.
    pub(crate) fn during<T>(&mut self, run: impl FnOnce() -> T) -> T {
        CURRENT.set(Some(std::mem::take(self)));
        let result = run();
        *self = CURRENT.take().unwrap_or_default();
        result
    }

    /// The request that the evaluation lacked the answer to; it has to run again.
    pub(crate) fn wanted(&mut self) -> Option<Arc<Request>> {
        self.wanted.take()
    }

    /// How many were sent.
    pub(crate) fn sent(&self) -> usize {
        self.answers.len()
    }

    pub(crate) fn answered(&mut self, request: Arc<Request>, answer: Result<Value, String>) {
        self.answers.push((request, answer));
    }
}

/// `http.send(request)`. Equal requests of one decision are sent once.
pub(crate) fn call(args: &[Value]) -> Result<Value> {
    let [value] = args else { bail!("one request") };
    CURRENT.with_borrow_mut(|current| {
        let Some(exchange) = current else { bail!("http.send is off: no hosts are listed that may be asked") };
        let request = Request::read(value)?;
        if let Some((_, answer)) = exchange.answers.iter().find(|(known, _)| **known == request) {
            return answer.clone().map_err(anyhow::Error::msg);
        }
        if exchange.wanted.is_none() {
            exchange.wanted = Some(Arc::new(request));
        }
        Ok(Value::Undefined)
    })
}
