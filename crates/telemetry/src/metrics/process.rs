//! What the kernel knows of this process, read when somebody asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use super::dropped_lines;

#[derive(Debug)]
pub(crate) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let dropped = dropped_lines();
        let line = encoder.encode_descriptor(
            "log_lines_dropped",
            "Log lines lost because the writer was behind or failed",
            None,
            dropped.metric_type(),
        )?;
        dropped.encode(line)?;
        if let Some(bytes) = resident_bytes() {
            let gauge = ConstGauge::new(bytes);
            gauge.encode(encoder.encode_descriptor(
                "resident_memory_bytes",
                "Memory in use",
                None,
                gauge.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

/// Resident memory: the second number of `/proc/self/statm`, in pages of 4 KiB.
fn resident_bytes() -> Option<i64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
