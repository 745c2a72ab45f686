//! Fuzz targets: every parser of what attackers and operators write.
//!
//! A target is a function of bytes that panics when a promise is broken. `cargo test` runs each of them on its seeds and
//! some thousand mutations of them; `cargo xtask fuzz` runs them for as long as asked, guided by coverage.

mod mutate;
pub mod targets;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub use mutate::Mutator;
pub use targets::{TARGETS, Target};

/// The target of that name.
///
/// # Errors
/// When there is none; the message lists them.
pub fn find(name: &str) -> anyhow::Result<&'static Target> {
    TARGETS.iter().find(|target| target.name == name).with_context(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        format!("there is no fuzz target {name}; there are {}", names.join(", "))
    })
}

/// The folder of this package.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The inputs that a target starts from.
///
/// # Errors
/// When there are none: a target without seeds finds nothing.
pub fn seeds(target: &Target) -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = folder().join("seeds").join(target.name);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("no seeds in {}", folder.display()))?;
    let files: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = files.context("cannot list the seeds")?;
    files.sort();
    let seeds: Result<Vec<_>, _> = files.iter().map(std::fs::read).collect();
    let seeds = seeds.context("cannot read a seed")?;
    anyhow::ensure!(!seeds.is_empty(), "no seeds in {}", folder.display());
    Ok(seeds)
}
