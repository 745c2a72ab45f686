//! Gatehouse, the security decision plane for Envoy.
fn main() {}
