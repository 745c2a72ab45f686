//! A set of paths into `input`.

use std::collections::BTreeSet;

/// The parts of `input` that can be read: each path stands for the whole value under it. No path in the set is
/// the beginning of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InputPaths(BTreeSet<Vec<String>>);

impl InputPaths {
    /// Adds a path, unless a shorter one says it already.
    pub(crate) fn add(&mut self, path: Vec<String>) {
        if self.covers(&path) {
            return;
        }
        self.0.retain(|longer| !longer.starts_with(&path));
        self.0.insert(path);
    }

    /// Adds all paths of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for path in &other.0 {
            self.add(path.clone());
        }
    }

    /// True when the whole value under `path` can be read.
    pub(crate) fn covers<S: AsRef<str>>(&self, path: &[S]) -> bool {
        (0..=path.len()).any(|n| {
            path.get(..n).is_some_and(|p| self.0.contains(&p.iter().map(|s| s.as_ref().to_owned()).collect::<Vec<_>>()))
        })
    }

    /// True when the value under `path`, or a part of it, can be read.
    pub(crate) fn touches(&self, path: &[&str]) -> bool {
        self.covers(path) || self.0.iter().any(|p| p.len() >= path.len() && p.iter().zip(path).all(|(a, b)| a == b))
    }

    /// The names under `path` of which at least a part can be read; `None` when that is all of them.
    pub(crate) fn names_under(&self, path: &[&str]) -> Option<Vec<String>> {
        if self.covers(path) {
            return None;
        }
        let mut names: Vec<String> = self
            .0
            .iter()
            .filter(|p| p.iter().zip(path).all(|(a, b)| a == b))
            .filter_map(|p| p.get(path.len()).cloned())
            .collect();
        names.dedup();
        Some(names)
    }

    /// The paths, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Vec<String>> {
        self.0.iter()
    }

    /// The paths, written with dots; `input` alone when everything can be read.
    pub(crate) fn describe(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|p| std::iter::once("input").chain(p.iter().map(String::as_str)).collect::<Vec<_>>().join("."))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::InputPaths;

    fn path(text: &str) -> Vec<String> {
        text.split('.').filter(|s| !s.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn shorter_paths_take_longer_ones_in() {
        let mut paths = InputPaths::default();
        paths.add(path("a.b.c"));
        paths.add(path("a.b.d"));
        paths.add(path("x"));
        assert!(paths.touches(&["a"]) && paths.touches(&["a", "b", "c", "deep"]));
        assert!(!paths.touches(&["a", "z"]) && !paths.touches(&["y"]));
        assert!(!paths.covers(&["a", "b"]));
        assert_eq!(paths.names_under(&["a", "b"]), Some(path("c.d")));
        assert_eq!(paths.names_under(&["x", "y"]), None);
        paths.add(path("a"));
        assert_eq!(paths.describe(), ["input.a", "input.x"]);
        paths.add(path("a.b.c"));
        paths.add(path(""));
        assert_eq!(paths.describe(), ["input"]);
        assert!(paths.covers(&["anything"]));
    }
}
