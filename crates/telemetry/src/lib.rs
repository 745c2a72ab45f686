//! Logs, metrics, spans and the health registry.
