//! From an archive to modules and data.

use std::path::Path;

use serde_json::{Map, Value};

use super::BundleError;
use super::archive::{self, Files};
use super::manifest::Manifest;
use super::signature::{SIGNATURES, SignatureError, Verification};

/// How a bundle is read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// How its signature is checked; it must not have one when absent.
    pub verification: Option<Verification>,
    /// The longest file; OPA's 1 GiB, bounded by the whole, when absent.
    pub size_limit: Option<u64>,
    /// Policies are of Rego v0 unless the manifest says otherwise.
    pub is_v0: bool,
}

impl ReadOptions {
    fn limit(&self) -> u64 {
        self.size_limit.unwrap_or(1 << 30).min(archive::MAX_TOTAL_BYTES)
    }
}

/// The contents of a bundle, checked but not compiled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    /// Revision, roots and more.
    pub manifest: Manifest,
    /// Path, text, and whether it is of Rego v0. Whether their packages are under the roots is checked when they are compiled.
    pub policies: Vec<(String, String, bool)>,
    /// Its data, one object.
    pub data: Value,
    /// Bytes of the archive.
    pub size: usize,
}

impl Bundle {
    /// Reads an archive.
    ///
    /// # Errors
    /// [`BundleError`]: nothing of it may be used.
    pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Self, BundleError> {
        let files = archive::unpack(bytes, options.limit())?;
        Self::of_files(&files, bytes.len(), options)
    }

    /// Reads an archive, or a folder laid out as one.
    ///
    /// # Errors
    /// [`BundleError`]: nothing of it may be used.
    pub fn read_path(path: &Path, options: &ReadOptions) -> Result<Self, BundleError> {
        if path.is_dir() {
            let files = archive::gather(path, options.limit())?;
            let size = files.values().map(Vec::len).sum();
            return Self::of_files(&files, size, options);
        }
        Self::read(&archive::read_file(path)?, options)
    }

    fn of_files(files: &Files, size: usize, options: &ReadOptions) -> Result<Self, BundleError> {
        match (&options.verification, files.contains_key(SIGNATURES)) {
            (Some(verification), _) => verification.check(files)?,
            (None, true) => return Err(SignatureError::Unexpected.into()),
            (None, false) => {}
        }
        let manifest = Manifest::read(files.get(".manifest").map(Vec::as_slice)).map_err(BundleError::Manifest)?;
        let mut bundle = Self { manifest, size, ..Self::default() };
        bundle.data = data(files)?;
        bundle.check_data("", &bundle.data)?;
        bundle.policies = bundle.modules(files, options.is_v0)?;
        Ok(bundle)
    }

    fn modules(&self, files: &Files, default_v0: bool) -> Result<Vec<(String, String, bool)>, BundleError> {
        let mut modules = Vec::new();
        for (path, contents) in files.iter().filter(|(path, _)| path.ends_with(".rego")) {
            let wrong = |problem: String| BundleError::File { path: path.clone(), problem };
            let text = String::from_utf8(contents.clone()).map_err(|_no_text| wrong("it is not UTF-8".to_owned()))?;
            let is_v0 = self.manifest.is_v0(path, default_v0).map_err(wrong)?;
            modules.push((path.clone(), text, is_v0));
        }
        Ok(modules)
    }

    /// Data stands under the roots; objects on the way to a root may be there.
    fn check_data(&self, path: &str, value: &Value) -> Result<(), BundleError> {
        let is_empty = value.as_object().is_some_and(Map::is_empty);
        if is_empty || self.manifest.covers(path) {
            return Ok(());
        }
        match value {
            Value::Object(fields) if self.manifest.has_root_below(path) => {
                fields.iter().try_for_each(|(name, field)| {
                    let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                    self.check_data(&below, field)
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                let problem = format!("data at {path:?} is under none of the roots of the bundle");
                Err(BundleError::File { path: ".manifest".to_owned(), problem })
            }
        }
    }
}

/// All data files, each where it lies.
fn data(files: &Files) -> Result<Value, BundleError> {
    let mut root = Map::new();
    for (path, contents) in files {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let wrong = |problem: String| BundleError::File { path: path.clone(), problem };
        let value: Value = match name {
            "data.json" => serde_json::from_slice(contents).map_err(|error| wrong(error.to_string()))?,
            "data.yaml" | "data.yml" => {
                let text = std::str::from_utf8(contents).map_err(|_no_text| wrong("it is not UTF-8".to_owned()))?;
                serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?
            }
            _ => continue,
        };
        let names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
        let whole =
            names.iter().rev().fold(value, |inner, name| Value::Object(Map::from_iter([((*name).to_owned(), inner)])));
        let Value::Object(whole) = whole else {
            return Err(wrong("the top of a data file must be an object".to_owned()));
        };
        merge(&mut root, whole).map_err(|at| wrong(format!("{at:?} has a value from another data file, too")))?;
    }
    Ok(Value::Object(root))
}

/// Adds `more`; gives the name where two values meet that are not both objects.
fn merge(into: &mut Map<String, Value>, more: Map<String, Value>) -> Result<(), String> {
    for (name, value) in more {
        match (into.get_mut(&name), value) {
            (None, value) => drop(into.insert(name, value)),
            (Some(Value::Object(there)), Value::Object(value)) => merge(there, value)?,
            (Some(_), _) => return Err(name),
        }
    }
    Ok(())
}
