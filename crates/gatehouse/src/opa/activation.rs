//! From files and bundles to the policies that decide: all of them compile, or the ones there are stay.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use policy::opa::{Loaded, Plugin, PluginOptions};

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

impl Paths {
    fn load(&self, loaded: &mut Loaded) -> Result<(), Vec<String>> {
        let mut problems = Vec::new();
        for path in &self.paths {
            if let Err(more) = loaded.add_path(path, self.are_bundles, self.is_v0) {
                problems.extend(more);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Compiles all that is named at the start.
pub(crate) fn first(paths: &Paths, options: PluginOptions) -> Result<Active, Vec<String>> {
    let mut loaded = Loaded::default();
    paths.load(&mut loaded)?;
    Ok(Active { plugin: Plugin::compile(&loaded, options)?, revisions: BTreeMap::new() })
}

/// Swaps the policies.
pub(crate) struct Activation {
    pub(crate) active: Arc<ArcSwap<Active>>,
    pub(crate) paths: Paths,
    pub(crate) options: PluginOptions,
}

impl Activation {
    /// Reads the paths again and compiles everything.
    ///
    /// # Errors
    /// What is wrong; the policies there are stay.
    pub(crate) async fn reload(&self) -> Result<(), Vec<String>> {
        let (paths, options) = (self.paths.clone(), self.options.clone());
        let attempt = tokio::task::spawn_blocking(move || first(&paths, options)).await;
        let active = attempt.map_err(|panic| vec![format!("compiling failed: {panic}")])??;
        let old = self.active.swap(Arc::new(active));
        // Freeing large data takes time that no other task should wait for.
        tokio::task::spawn_blocking(move || drop(old));
        Ok(())
    }
}
