//! From files to a typed configuration.

use std::path::{Path as FilePath, PathBuf};

use config::{Document, Problems, Report};

use crate::root::Config;

/// A configuration as written: typed, but not yet compiled.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, with file names resolved. Parts with mistakes are left out.
    pub config: Config,
    pub(crate) document: Document,
    folder: Option<PathBuf>,
}

impl Loaded {
    /// The files that were read.
    pub fn files(&self) -> &[PathBuf] {
        self.document.files()
    }

    /// What to watch to notice another configuration: in a folder, files that appear count as well.
    pub(crate) fn watch_paths(&self) -> Vec<PathBuf> {
        let mut paths = self.document.files().to_vec();
        paths.extend(self.folder.clone());
        paths
    }
}

/// Reads a file, or a folder of them. Mistakes in the shape of values are kept, so that
/// [`build`](crate::build()) reports them together with everything else.
///
/// # Errors
/// The report, when so much is wrong that nothing more can be said.
pub fn load(path: &FilePath) -> Result<Loaded, Report> {
    typed(Document::load(path), path.is_dir().then(|| path.to_owned()))
}

/// The same from texts with the names they are reported under; relative paths start from `base`.
///
/// # Errors
/// As [`load`].
pub fn load_texts(base: &FilePath, texts: Vec<(PathBuf, String)>) -> Result<Loaded, Report> {
    typed(Document::from_texts(base, texts), None)
}

fn typed(mut document: Document, folder: Option<PathBuf>) -> Result<Loaded, Report> {
    let config: Option<Config> = document.read();
    match config {
        Some(mut config) if !document.is_incomplete() => {
            config.resolve_paths(document.base());
            Ok(Loaded { config, document, folder })
        }
        Some(_) | None => Err(document.report(&Problems::new())),
    }
}
