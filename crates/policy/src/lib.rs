//! Rego policies through regorus: compile, evaluate, cache decisions. Knows nothing of HTTP routing.
