//! End-to-end tests against real Envoy, and their harness.
