//! Limits: descriptors, algorithms, stores, tiers. Knows nothing of HTTP.
