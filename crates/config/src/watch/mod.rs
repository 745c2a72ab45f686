//! Notices that a watched file changed: by the system's notifications, and by looking at the contents now and then for
//! file systems that send none (network mounts, some containers).

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use std::{fs, io};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// How long it must be quiet before a change counts: writers come in bursts.
const QUIET: Duration = Duration::from_millis(100);
/// A writer that never pauses does not hold a reload up for longer than this.
const LONGEST_BURST: Duration = Duration::from_secs(2);
/// Larger files are compared by size and time instead of contents.
const HASHED_BYTES: u64 = 4 * 1024 * 1024;
/// How deep and how many files a watched folder may hold; the rest is not looked at.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 10_000;

/// Watches files and folders.
///
/// Folders *around* files are watched, not files: editors and Kubernetes replace a file by renaming (a ConfigMap
/// swaps its `..data` link), and a watch on the old file would go on watching what is no longer there. What
/// counts in the end is whether contents differ, so an event that changed nothing wakes nobody.
pub struct Watcher {
    system: Option<RecommendedWatcher>,
    events: Arc<Notify>,
    paths: Vec<PathBuf>,
    folders: BTreeSet<(PathBuf, bool)>,
    seen: u64,
    poll: Duration,
}

impl Watcher {
    /// Watches `paths`, files or folders, which need not exist yet. Contents are compared every `poll` as well.
    pub fn new(paths: Vec<PathBuf>, poll: Duration) -> Self {
        let events = Arc::new(Notify::new());
        let wake = Arc::clone(&events);
        let system = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may mean lost events: look.
            if event.is_ok_and(|e| matches!(e.kind, EventKind::Access(_))) {
                return;
            }
            wake.notify_one();
        });
        let system = system
            .inspect_err(|error| tracing::warn!(%error, "no file notifications here; changes are found by polling"))
            .ok();
        let mut watcher =
            Self { system, events, paths: Vec::new(), folders: BTreeSet::new(), seen: fingerprint(&paths), poll };
        watcher.subscribe(paths);
        watcher
    }

    /// Watches other paths from now on, as a new configuration may name other files. A change to files that
    /// were watched before is still noticed.
    pub fn watch(&mut self, paths: Vec<PathBuf>) {
        if paths == self.paths {
            return;
        }
        let unchanged = fingerprint(&self.paths) == self.seen;
        self.seen = if unchanged { fingerprint(&paths) } else { !fingerprint(&paths) };
        self.subscribe(paths);
    }

    /// Waits until something changed. Safe to drop and call again.
    pub async fn changed(&mut self) {
        loop {
            let _on_poll_too = timeout(self.poll, self.events.notified()).await;
            self.settle().await;
            let paths = self.paths.clone();
            // A failed look is a look at nothing: try again at the next event.
            let Ok(now) = tokio::task::spawn_blocking(move || fingerprint(&paths)).await else { continue };
            if now != self.seen {
                self.seen = now;
                // A swapped link has a new folder behind it.
                self.subscribe(self.paths.clone());
                return;
            }
        }
    }

    /// Waits for the end of a burst.
    async fn settle(&self) {
        let end = Instant::now() + LONGEST_BURST;
        sleep(QUIET).await;
        while Instant::now() < end && timeout(QUIET, self.events.notified()).await.is_ok() {}
    }

    fn subscribe(&mut self, paths: Vec<PathBuf>) {
        let wanted: BTreeSet<(PathBuf, bool)> = paths.iter().flat_map(|p| folders_of(p)).collect();
        self.paths = paths;
        let Some(system) = &mut self.system else { return };
        for (old, _) in self.folders.difference(&wanted) {
            // The folder may be gone, and its watch with it.
            let _gone = system.unwatch(old);
        }
        for (new, recursive) in &wanted {
            let mode = if *recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            if let Err(error) = system.watch(new, mode) {
                tracing::debug!(folder = %new.display(), %error, "cannot be watched; changes are found by polling");
            }
        }
        self.folders = wanted;
    }
}

/// The folders to watch for `path`, and whether with what is below.
fn folders_of(path: &Path) -> Vec<(PathBuf, bool)> {
    let parent = |p: &Path| match p.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let mut folders = vec![(parent(path), false)];
    if let Ok(real) = fs::canonicalize(path) {
        if real.is_dir() {
            folders.push((path.to_owned(), true));
        }
        folders.push((parent(&real), false));
    }
    folders
}

/// A number that changes when names or contents change. Not for security: whoever can write these files
/// writes the configuration.
fn fingerprint(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut left = MAX_FILES;
    for path in paths {
        add(path, MAX_DEPTH, &mut left, &mut hasher);
    }
    hasher.finish()
}

fn add(path: &Path, depth: usize, left: &mut usize, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    if *left == 0 || depth == 0 {
        return;
    }
    *left -= 1;
    match contents(path) {
        Ok(Contents::Folder(mut names)) => {
            names.sort();
            names.iter().for_each(|name| add(name, depth - 1, left, hasher));
        }
        Ok(Contents::Bytes(bytes)) => bytes.hash(hasher),
        Ok(Contents::Large(size, time)) => (size, time).hash(hasher),
        Err(error) => (error.kind() as u8).hash(hasher),
    }
}

enum Contents {
    Folder(Vec<PathBuf>),
    Bytes(Vec<u8>),
    Large(u64, u128),
}

fn contents(path: &Path) -> io::Result<Contents> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        let visible = |p: &PathBuf| p.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.'));
        let names = fs::read_dir(path)?.filter_map(Result::ok).map(|e| e.path()).filter(visible);
        return Ok(Contents::Folder(names.take(MAX_FILES).collect()));
    }
    if !about.is_file() || about.len() > HASHED_BYTES {
        let time = about.modified()?.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        return Ok(Contents::Large(about.len(), time));
    }
    fs::read(path).map(Contents::Bytes)
}

#[cfg(test)]
mod tests;
