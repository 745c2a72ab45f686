//! The one outbound HTTP client: TLS, deadlines, body limits, address guard.
