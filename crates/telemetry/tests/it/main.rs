//! Telemetry as a process has it: set up once.

#[cfg(test)]
mod spans;
