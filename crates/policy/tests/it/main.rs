//! Tests against servers and folders.

#[cfg(test)]
mod collector;
#[cfg(test)]
mod decision_log;
mod http_send;
