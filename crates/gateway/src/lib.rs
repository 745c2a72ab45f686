//! Wire formats and Envoy-facing services: the only crate that sees Envoy's protobuf types.
