//! Printing. A reader that went away (`gatehouse schema | head`) is no fault.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;
use serde::Serialize;

use crate::failure::Failure;

pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Fault(error.into())),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(value).context("cannot write JSON")?)
}

pub(crate) fn error(message: &impl Display) {
    let text = message.to_string();
    if !text.is_empty() {
        // Nowhere to say that standard error is closed.
        let _closed = writeln!(io::stderr().lock(), "{text}");
    }
}
