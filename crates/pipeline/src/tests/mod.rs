//! Whole requests through the pipeline, without Envoy.

mod cases;
mod rig;
