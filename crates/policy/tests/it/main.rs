//! Tests against servers and folders.

#[cfg(test)]
mod collector;
#[cfg(test)]
mod decision_log;
#[cfg(test)]
mod http_send;
