//! Reads the files of one bundle.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::load::LoadProblem;

/// The longest `.rego` file, in bytes.
const MAX_REGO_BYTES: u64 = 1 << 20;
/// The longest data file, in bytes.
const MAX_DATA_BYTES: u64 = 64 << 20;
/// The most files in one bundle.
const MAX_FILES: usize = 2_000;
/// The most bytes of all files of one bundle.
const MAX_TOTAL_BYTES: u64 = 128 << 20;
/// How deep folders may be nested; also ends loops of symbolic links.
const MAX_DEPTH: usize = 16;

/// One file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SourceFile {
    /// The bundle it belongs to.
    pub(crate) bundle: String,
    /// Where it was found, for messages.
    pub(crate) path: String,
    /// Contents.
    pub(crate) text: String,
    /// Written in Rego v0.
    pub(crate) is_v0: bool,
}

/// Which files of a folder are read as data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum DataFiles {
    /// `data.json`, `data.yaml` and `data.yml`, as in bundles.
    #[default]
    Named,
    /// Every file of JSON and YAML, as for folders on OPA's command line.
    All,
}

/// The files of one bundle.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Folder {
    /// `.rego` files in order of their paths.
    pub(crate) policies: Vec<SourceFile>,
    /// Data files with the path under `data` where they are mounted.
    pub(crate) data: Vec<(Vec<String>, SourceFile)>,
    /// Data that came as a document.
    pub(crate) document: Option<serde_json::Value>,
    /// Paths below `data` that its packages must be under; `None` when they may be anywhere.
    pub(crate) roots: Option<Vec<String>>,
    data_files: DataFiles,
    is_v0: bool,
    files: usize,
    bytes: u64,
}

/// Reads `root`. Hidden files and folders are left out (Kubernetes keeps its own copies there), and so are
/// `*_test.rego` files, which hold the tests of policies.
pub(crate) fn read_folder(bundle: &str, root: &Path, problems: &mut Vec<LoadProblem>) -> Folder {
    let mut folder = Folder::default();
    if let Err(message) = folder.read(bundle, root, &mut Vec::new()) {
        problems.push(LoadProblem::of(bundle, message));
    }
    folder
}

/// Reads a file or folder that was named on the command line, as OPA does: a file of data is the root of `data`, or lies at the path
/// before its name (`a.b:file.json`).
pub(crate) fn read_argument(path: &Path, is_bundle: bool, is_v0: bool, problems: &mut Vec<LoadProblem>) -> Folder {
    let data_files = if is_bundle { DataFiles::Named } else { DataFiles::All };
    let mut folder = Folder { data_files, is_v0, ..Folder::default() };
    let (mut mount, path) = mount_of(path);
    let read = if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        folder.read_file("", &path, &name, &mount)
    } else {
        folder.read("", &path, &mut mount)
    };
    if let Err(message) = read {
        problems.push(LoadProblem::general(message));
    }
    folder
}

fn mount_of(path: &Path) -> (Vec<String>, std::path::PathBuf) {
    let text = path.to_string_lossy();
    match text.split_once(':') {
        Some((mount, file)) if !mount.is_empty() && !mount.contains('/') && mount != "file" => {
            (mount.split('.').map(str::to_owned).collect(), file.into())
        }
        _ => (Vec::new(), text.strip_prefix("file://").map_or_else(|| path.to_owned(), Into::into)),
    }
}

impl Folder {
    /// What a bundle holds.
    pub(crate) fn of_bundle(name: &str, bundle: &Bundle) -> Self {
        let file = |(path, text, is_v0): &(String, String, bool)| SourceFile {
            bundle: name.to_owned(),
            path: format!("{name}/{path}"),
            text: text.clone(),
            is_v0: *is_v0,
        };
        Self {
            policies: bundle.policies.iter().map(file).collect(),
            document: Some(bundle.data.clone()),
            roots: Some(bundle.manifest.roots().to_vec()),
            ..Self::default()
        }
    }

    /// About how many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        let files = self.policies.iter().chain(self.data.iter().map(|(_, file)| file)).map(|file| file.text.len());
        files.sum::<usize>() + self.document.as_ref().map_or(0, |document| document.to_string().len())
    }

    fn read(&mut self, bundle: &str, at: &Path, mount: &mut Vec<String>) -> Result<(), String> {
        if mount.len() > MAX_DEPTH {
            return Err(format!("{}: folders are nested deeper than {MAX_DEPTH} levels", at.display()));
        }
        let listing = fs::read_dir(at).map_err(|e| format!("cannot read folder {}: {e}", at.display()))?;
        let mut names = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|e| format!("cannot read folder {}: {e}", at.display()))?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|raw| format!("{}: file name {} is not UTF-8", at.display(), raw.display()))?;
            if !name.starts_with('.') {
                names.push(name);
            }
            if names.len() > MAX_FILES {
                return Err(format!("{}: more than {MAX_FILES} files", at.display()));
            }
        }
        // Folders are listed in no particular order; messages and merges should not depend on it.
        names.sort();
        for name in names {
            let path = at.join(&name);
            // Follows links: a ConfigMap is mounted as links into a hidden folder.
            let kind = fs::metadata(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            if kind.is_dir() {
                mount.push(name);
                self.read(bundle, &path, mount)?;
                mount.pop();
            } else if kind.is_file() {
                self.read_file(bundle, &path, &name, mount)?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, bundle: &str, path: &Path, name: &str, mount: &[String]) -> Result<(), String> {
        let is_rego = name.ends_with(".rego") && !name.ends_with("_test.rego");
        let is_data = match self.data_files {
            DataFiles::Named => matches!(name, "data.json" | "data.yaml" | "data.yml"),
            DataFiles::All => matches!(path.extension().and_then(|e| e.to_str()), Some("json" | "yaml" | "yml")),
        };
        if !is_rego && !is_data {
            return Ok(());
        }
        let text = read_text(path, if is_rego { MAX_REGO_BYTES } else { MAX_DATA_BYTES })?;
        self.files += 1;
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        if self.files > MAX_FILES || self.bytes > MAX_TOTAL_BYTES {
            return Err(format!("more than {MAX_FILES} files or {MAX_TOTAL_BYTES} bytes of policies and data"));
        }
        let file = SourceFile { bundle: bundle.to_owned(), path: path.display().to_string(), text, is_v0: self.is_v0 };
        if is_rego {
            self.policies.push(file);
        } else {
            self.data.push((mount.to_vec(), file));
        }
        Ok(())
    }
}

fn read_text(path: &Path, max_bytes: u64) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let mut text = String::new();
    file.take(max_bytes + 1).read_to_string(&mut text).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    if text.len() as u64 > max_bytes {
        return Err(format!("{}: longer than {max_bytes} bytes", path.display()));
    }
    Ok(text)
}
