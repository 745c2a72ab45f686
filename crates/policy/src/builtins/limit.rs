//! A flag that says that a builtin ran into a size limit.
//!
//! Builtin errors are undefined to a policy, and `not` turns undefined into true; a limit must deny whatever the
//! policy makes of it. So the flag outlives the call, and the evaluation asks for it at its end.

use std::cell::Cell;

use anyhow::{Result, anyhow};
use regorus::Value;

thread_local! {
    static HIT: Cell<bool> = const { Cell::new(false) };
}

/// Forgets earlier hits; before an evaluation.
pub(crate) fn clear_limit() {
    HIT.set(false);
}

/// True when a builtin of this thread ran into a limit since the flag was cleared.
pub(crate) fn limit_was_hit() -> bool {
    HIT.get()
}

/// Raises the flag and gives the error for the call.
pub(super) fn over_limit(what: &str) -> Result<Value> {
    HIT.set(true);
    Err(anyhow!("{what} is over its limit"))
}
