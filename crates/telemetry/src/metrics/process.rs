//! What the kernel knows of this process, read when somebody asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::{output, spans};

/// Ticks per second of `/proc/self/stat`: the kernel's `USER_HZ`, 100 on every architecture.
const TICKS: f64 = 100.0;

#[derive(Debug)]
pub(crate) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let dropped = ConstCounter::new(output::dropped());
        let line = encoder.encode_descriptor(
            "log_lines_dropped",
            "Log lines lost because the writer was behind or failed",
            None,
            dropped.metric_type(),
        )?;
        dropped.encode(line)?;
        let exports = "Batches of spans that were sent to the collector or lost";
        let mut family = encoder.encode_descriptor("span_exports", exports, None, MetricType::Counter)?;
        for (result, count) in ["sent", "lost"].into_iter().zip(spans::exported()) {
            ConstCounter::new(count).encode(family.encode_family(&[("result", result)])?)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            counter.encode(encoder.encode_descriptor(
                "cpu_seconds",
                "CPU time used",
                None,
                counter.metric_type(),
            )?)?;
        }
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

/// User and system time: fields 14 and 15 of `/proc/self/stat`, counted behind the name in parentheses.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split_ascii_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS)
}
