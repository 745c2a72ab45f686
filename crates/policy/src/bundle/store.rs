//! The last good archive of each bundle on disk (`persist`).

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// `<folder>/bundles/<name>/bundle.tar.gz`, as OPA has it.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Below `persistence_directory`. Slashes in names are taken as folders, as OPA does; `..` is not.
    ///
    /// # Errors
    /// A name that leads out of the folder.
    pub fn new(folder: &Path, name: &str) -> Result<Self, String> {
        if name.is_empty() || name.split('/').any(|part| matches!(part, "" | "." | "..")) || name.contains('\0') {
            return Err(format!("{name:?} is no name that a folder can have"));
        }
        Ok(Self { folder: folder.join("bundles").join(name) })
    }

    /// The archive that was kept; `None` when there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn load(&self) -> std::io::Result<Option<Vec<u8>>> {
        match fs::read(self.file()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps an archive. Whoever reads at the same time, or after a crash, sees the old one or the new one.
    ///
    /// # Errors
    /// It cannot be written; what was there stays.
    pub fn save(&self, bytes: &[u8]) -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let staged = self.folder.join(format!(".bundle-{}", std::process::id()));
        let written = (|| {
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&staged, self.file())
        })();
        if written.is_err() {
            // Of no use to anybody; on a full disk it stands in the way.
            let _removed = fs::remove_file(&staged);
        }
        written
    }

    fn file(&self) -> PathBuf {
        self.folder.join("bundle.tar.gz")
    }
}
