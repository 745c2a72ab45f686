//! From files and bundles to the policies that decide: all of them compile, or the ones there are stay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use policy::bundle::{Bundle, News, ReadOptions, overlap};
use policy::opa::config::OpaConfig;
use policy::opa::{Loaded, Plugin, PluginOptions};
use tokio_util::sync::CancellationToken;

use super::discovery::Discovered;
use super::fleet::Fleet;
use super::statuses::Statuses;

/// How often contents are compared where the system sends no notifications.
const POLL: Duration = Duration::from_secs(10);

/// The policies that decide, with what they came from.
pub(crate) struct Active {
    pub(crate) plugin: Plugin,
    /// Revisions of bundles by name.
    pub(crate) revisions: BTreeMap<String, String>,
}

/// Where the paths of the command line are, and how they are read.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) are_bundles: bool,
    pub(crate) is_v0: bool,
}

/// Bundles by name.
pub(crate) type Bundles = BTreeMap<String, Arc<Bundle>>;

/// Reads the paths and compiles everything together.
///
/// # Errors
/// Every problem, one line each.
pub(crate) fn compile(paths: &Paths, downloaded: &Bundles, options: PluginOptions) -> Result<Active, Vec<String>> {
    let mut loaded = Loaded::default();
    let mut bundles = downloaded.clone();
    let mut problems = Vec::new();
    for path in &paths.paths {
        if paths.are_bundles {
            match Bundle::read_path(path, &ReadOptions { is_v0: paths.is_v0, ..ReadOptions::default() }) {
                Ok(bundle) => drop(bundles.insert(name_of(path), Arc::new(bundle))),
                Err(error) => problems.push(format!("{}: {error}", path.display())),
            }
        } else if let Err(more) = loaded.add_path(path, false, paths.is_v0) {
            problems.extend(more);
        }
    }
    problems.extend(overlaps(&bundles));
    if !problems.is_empty() {
        return Err(problems);
    }
    for (name, bundle) in &bundles {
        loaded.add_bundle(name, bundle);
    }
    let revisions = bundles.iter().map(|(name, bundle)| (name.clone(), bundle.manifest.revision.clone())).collect();
    Ok(Active { plugin: Plugin::compile(&loaded, options)?, revisions })
}

fn name_of(path: &Path) -> String {
    path.display().to_string()
}

/// Bundles of which each says that the same part of `data` is its own.
fn overlaps(bundles: &Bundles) -> Vec<String> {
    let mut problems = Vec::new();
    let mut earlier: Vec<(&String, &Arc<Bundle>)> = Vec::new();
    for (name, bundle) in bundles {
        for (other, before) in &earlier {
            if let Some((first, second)) = overlap(before.manifest.roots(), bundle.manifest.roots()) {
                problems.push(format!("bundles {other} and {name} overlap: roots {first:?} and {second:?}"));
            }
        }
        earlier.push((name, bundle));
    }
    problems
}

/// Swaps the policies.
pub(crate) struct Activation {
    pub(crate) active: Arc<ArcSwapOption<Active>>,
    pub(crate) paths: Paths,
    pub(crate) watch: bool,
    pub(crate) options: PluginOptions,
    /// The bundles that the configuration names.
    pub(crate) wanted: BTreeSet<String>,
    /// Those that came and were compiled, or wait for the others.
    pub(crate) loaded: Bundles,
    pub(crate) statuses: Arc<Statuses>,
}

impl Activation {
    /// Takes what is new until `stop` is called.
    pub(crate) async fn run(
        mut self,
        mut fleet: Fleet,
        mut discovered: Option<Discovered>,
        default_v0: bool,
        stop: CancellationToken,
    ) {
        let watched = if self.watch { self.paths.paths.clone() } else { Vec::new() };
        let mut watcher = config::Watcher::new(watched, POLL);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(news) = fleet.news.recv() => self.take(news).await,
                () = watcher.changed(), if self.watch => self.reload().await,
                config = next(&mut discovered) => match policy::bundle::downloaders(&config, default_v0) {
                    Ok(downloaders) => {
                        self.want(downloaders.iter().map(|(name, _)| name.clone()).collect());
                        fleet.replace(downloaders, &stop);
                        tracing::info!(bundles = self.wanted.len(), "another configuration was discovered; what it says of \
                            bundles applies now, the rest after a restart");
                        self.reload().await;
                    }
                    Err(problems) => problems.iter().for_each(|problem| tracing::error!(%problem, "the discovered configuration")),
                },
            }
        }
    }

    /// Other bundles from now on: what is no longer named leaves with the next activation.
    fn want(&mut self, names: BTreeSet<String>) {
        self.loaded.retain(|name, _| names.contains(name));
        self.statuses.want(&names);
        self.wanted = names;
    }

    async fn reload(&mut self) {
        match self.activate(self.loaded.clone()).await {
            Ok(true) => tracing::info!("policies loaded again"),
            Ok(false) => {}
            Err(problems) => {
                for problem in problems {
                    tracing::error!(%problem, "policies");
                }
                tracing::error!("the changed policies are refused; the ones there are stay");
            }
        }
    }

    async fn take(&mut self, news: News) {
        match news {
            News::Unchanged { name } => self.statuses.change(&name, |status| status.unchanged()),
            News::Failed { name, message, http_code } => {
                tracing::warn!(bundle = %name, problem = %message, http_code, "the bundle cannot be had; the one there is stays");
                self.statuses.failed(&name, &message, http_code, Vec::new());
            }
            News::Loaded { name, bundle, activated } => {
                self.statuses.change(&name, |status| status.downloaded(bundle.size));
                let mut candidates = self.loaded.clone();
                candidates.insert(name.clone(), Arc::clone(&bundle));
                let outcome = self.activate(candidates).await;
                // The downloader may have been stopped meanwhile.
                let _gone = activated.send(outcome.is_ok());
                match outcome {
                    Ok(true) => {
                        for (name, bundle) in &self.loaded {
                            self.statuses.activated(name, &bundle.manifest.revision);
                        }
                        tracing::info!(bundle = %name, revision = %bundle.manifest.revision, "the bundle is active");
                    }
                    Ok(false) => tracing::info!(bundle = %name, "the bundle waits for the others"),
                    Err(problems) => {
                        for problem in &problems {
                            tracing::error!(bundle = %name, %problem, "the bundle");
                        }
                        tracing::error!(bundle = %name, "the bundle is refused; the one there is stays");
                        let message = problems.first().cloned().unwrap_or_default();
                        self.statuses.failed(&name, &message, None, problems);
                    }
                }
            }
        }
    }

    /// Compiles and swaps. False when a bundle is missing that never came: then nothing decides yet.
    ///
    /// # Errors
    /// What is wrong; the policies there are stay.
    pub(crate) async fn activate(&mut self, bundles: Bundles) -> Result<bool, Vec<String>> {
        let problems = overlaps(&bundles);
        if !problems.is_empty() {
            return Err(problems);
        }
        if self.wanted.iter().any(|name| !bundles.contains_key(name)) {
            self.loaded = bundles;
            return Ok(false);
        }
        let (paths, options, given) = (self.paths.clone(), self.options.clone(), bundles.clone());
        let attempt = tokio::task::spawn_blocking(move || compile(&paths, &given, options)).await;
        let active = attempt.map_err(|panic| vec![format!("compiling failed: {panic}")])??;
        let old = self.active.swap(Some(Arc::new(active)));
        self.loaded = bundles;
        // Freeing large data takes time that no other task should wait for.
        tokio::task::spawn_blocking(move || drop(old));
        Ok(true)
    }
}

/// The next configuration of a discovery bundle; never without one.
async fn next(discovered: &mut Option<Discovered>) -> OpaConfig {
    match discovered {
        Some(discovered) => match discovered.next().await {
            Some(config) => config,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
