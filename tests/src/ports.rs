//! Ports that nobody listens on.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;

static OFFSET: AtomicU16 = AtomicU16::new(0);

/// A free port on loopback, below the range that the system takes for outgoing connections, so that nobody is given it
/// between this call and its use. Each call in one process returns another port; the start depends on the process.
///
/// # Errors
/// When none of the tried ports is free.
pub fn free_port() -> anyhow::Result<u16> {
    let start = u16::try_from(std::process::id().wrapping_mul(61) % RANGE).unwrap_or_default();
    (0..500)
        .map(|_| LOWEST + start.wrapping_add(OFFSET.fetch_add(1, Ordering::Relaxed)) % RANGE as u16)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port between 16000 and 32000")
}

const LOWEST: u16 = 16_000;
const RANGE: u32 = 16_000;
