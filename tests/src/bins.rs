//! Where the programs under test are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The folder of the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The built `gatehouse`: `$GATEHOUSE_BIN`, or the one in the target folder that this program was built into.
///
/// # Errors
/// When it has not been built.
pub fn gatehouse_path() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("GATEHOUSE_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("this program does not know its own path")?;
    // target/debug/deps/it-… or target/debug/gatehouse-demo
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("gatehouse")).find(|path| path.is_file());
    found.context(
        "the program gatehouse is not built: run `cargo build -p gatehouse`, or `cargo xtask test`, which does",
    )
}

/// The Envoy to test with: `$ENVOY`, the one `cargo xtask provision` fetched, or the one on `PATH`.
///
/// # Errors
/// When there is none. A test without its Envoy fails; it never passes silently.
pub fn envoy_path() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("ENVOY") {
        return Ok(path.into());
    }
    let cached = cache_folder().map(|cache| cache.join(PINNED));
    let on_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let candidates = cached.into_iter().chain(on_path.into_iter().map(|folder| folder.join("envoy")));
    if let Some(found) = candidates.into_iter().find(|path| path.is_file()) {
        return Ok(found);
    }
    bail!("no Envoy found: run `cargo xtask provision` (fetches it once), or set ENVOY to the path of one")
}

/// As `xtask provision` does: `$GATEHOUSE_CACHE`, `$XDG_CACHE_HOME/gatehouse` or `~/.cache/gatehouse`.
fn cache_folder() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("GATEHOUSE_CACHE")
        .or_else(|| from("XDG_CACHE_HOME").map(|folder| folder.join("gatehouse")))
        .or_else(|| from("HOME").map(|folder| folder.join(".cache/gatehouse")))
}

/// Where `xtask provision` puts Envoy inside the cache; the same path is in `xtask/src/provision.rs`.
const PINNED: &str = "envoy-1.40.0/envoy";
