//! Tests against servers and folders.

mod collector;
mod decision_log;
