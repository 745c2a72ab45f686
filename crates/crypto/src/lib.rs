//! The only crate that calls crypto primitives: JOSE verification, digests, MACs, TLS provider.
