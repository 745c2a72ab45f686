//! Benchmarks: the no-op yardstick, the load generator, the table.
