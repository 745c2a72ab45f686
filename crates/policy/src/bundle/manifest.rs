//! `.manifest`: revision, roots, and the language of the policies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::builtins::glob_pattern;

/// The most roots of a bundle.
const MAX_ROOTS: usize = 1_000;

/// The root that everything is under.
static EVERYTHING: [String; 1] = [String::new()];

/// `.manifest` of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Names this version of the bundle.
    pub revision: String,
    /// The paths below `data` that belong to the bundle; all of it when absent.
    pub roots: Option<Vec<String>>,
    /// Rego version of its policies: 0 or 1.
    pub rego_version: Option<u8>,
    /// Rego versions of single files, by pattern.
    pub file_rego_versions: BTreeMap<String, u8>,
    /// Entry points in WebAssembly, which are not served.
    pub wasm: Vec<Value>,
    /// Whatever its maker wanted to say.
    pub metadata: Value,
}

impl Manifest {
    /// Reads a manifest; an absent one has no revision and all roots.
    pub(super) fn read(text: Option<&[u8]>) -> Result<Self, String> {
        let mut manifest = match text {
            None => Self::default(),
            Some(text) => serde_json::from_slice::<Self>(text).map_err(|error| error.to_string())?,
        };
        if !manifest.wasm.is_empty() {
            return Err(
                "wasm: entry points in WebAssembly are not served; build the bundle with target rego".to_owned()
            );
        }
        let versions = manifest.rego_version.iter().chain(manifest.file_rego_versions.values());
        if let Some(version) = versions.into_iter().find(|version| **version > 1) {
            return Err(format!("rego_version {version} is not known: 0 and 1 are"));
        }
        let Some(roots) = &mut manifest.roots else { return Ok(manifest) };
        if roots.len() > MAX_ROOTS {
            return Err(format!("more than {MAX_ROOTS} roots"));
        }
        for root in roots.iter_mut() {
            *root = root.trim_matches('/').to_owned();
        }
        if let Some((first, second)) = overlap(roots, roots) {
            return Err(format!("roots {first:?} and {second:?} overlap"));
        }
        Ok(manifest)
    }

    /// The roots, without slashes at either end.
    pub fn roots(&self) -> &[String] {
        self.roots.as_deref().unwrap_or(&EVERYTHING)
    }

    /// Whether a file of policies is of Rego v0. Patterns match the path with a slash before it.
    pub(super) fn is_v0(&self, path: &str, default: bool) -> Result<bool, String> {
        let rooted = format!("/{path}");
        for (pattern, version) in &self.file_rego_versions {
            if glob_pattern(pattern, &['/'], &rooted)? {
                return Ok(*version == 0);
            }
        }
        Ok(self.rego_version.map_or(default, |version| version == 0))
    }

    /// Whether a path below `data` belongs to the bundle.
    pub(super) fn covers(&self, path: &str) -> bool {
        covers(self.roots(), path)
    }

    /// Whether a root lies below a path.
    pub(super) fn has_root_below(&self, path: &str) -> bool {
        self.roots().iter().any(|root| is_under(root, path))
    }
}

/// Two roots of which one lies below the other. A list compared with itself does not count each root twice.
pub fn overlap<'a>(first: &'a [String], second: &'a [String]) -> Option<(&'a str, &'a str)> {
    let itself = std::ptr::eq(first, second);
    let pairs =
        first.iter().enumerate().flat_map(|(i, a)| second.iter().enumerate().map(move |(j, b)| ((i, a), (j, b))));
    pairs
        .filter(|((i, _), (j, _))| !itself || i != j)
        .find(|((_, a), (_, b))| is_under(a, b) || is_under(b, a))
        .map(|((_, a), (_, b))| (a.as_str(), b.as_str()))
}

/// Whether a path below `data` is under one of the roots.
pub(crate) fn covers(roots: &[String], path: &str) -> bool {
    roots.iter().any(|root| is_under(path, root))
}

fn is_under(path: &str, root: &str) -> bool {
    root.is_empty() || path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}
