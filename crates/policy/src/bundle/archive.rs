//! The files in a `tar.gz`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Take};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// The most files of one archive.
const MAX_FILES: usize = 10_000;
/// The most bytes of all files together.
pub(super) const MAX_TOTAL_BYTES: u64 = 512 << 20;
/// The longest path.
const MAX_PATH_BYTES: usize = 1_024;

/// Why the bytes are no archive that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// They are something else, or cut off.
    #[error("this is no tar.gz archive, or it is cut off: {0}")]
    Format(#[source] std::io::Error),
    /// A path leads out of the archive, or is none.
    #[error("the path {0:?} leads out of the archive")]
    Path(String),
    /// Two files have one path.
    #[error("there are two files {0:?}")]
    Twice(String),
    /// A file is longer than `size_limit_bytes`.
    #[error("{path} is longer than {limit} bytes (size_limit_bytes)")]
    TooLong {
        /// The file.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// All files together are too much.
    #[error("the archive holds more than {MAX_FILES} files or {MAX_TOTAL_BYTES} bytes")]
    TooMuch,
}

/// Files by path, without a leading slash.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Unpacks an archive in memory. Folders and links are left out, as OPA does.
pub(super) fn unpack(bytes: &[u8], size_limit: u64) -> Result<Files, ArchiveError> {
    // One byte more than allowed, so that too much can be told from a cut archive.
    let unpacked: Take<_> = MultiGzDecoder::new(bytes).take(MAX_TOTAL_BYTES + HEADERS);
    let mut archive = tar::Archive::new(unpacked);
    let mut files = Files::new();
    let mut total = 0_u64;
    for entry in archive.entries().map_err(ArchiveError::Format)? {
        let mut entry = entry.map_err(ArchiveError::Format)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = path_of(&entry.path_bytes())?;
        let announced = entry.header().size().map_err(ArchiveError::Format)?;
        if announced > size_limit {
            return Err(ArchiveError::TooLong { path, limit: size_limit });
        }
        total = total.saturating_add(announced);
        if total > MAX_TOTAL_BYTES || files.len() >= MAX_FILES {
            return Err(ArchiveError::TooMuch);
        }
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).map_err(ArchiveError::Format)?;
        if contents.len() as u64 != announced {
            return Err(ArchiveError::Format(std::io::ErrorKind::UnexpectedEof.into()));
        }
        if files.insert(path.clone(), contents).is_some() {
            return Err(ArchiveError::Twice(path));
        }
    }
    // The check sum of the stream stands at its end, behind what the archive needs.
    let mut rest = archive.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink()).map_err(ArchiveError::Format)?;
    if rest.limit() == 0 {
        return Err(ArchiveError::TooMuch);
    }
    Ok(files)
}

/// The file of an archive.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, ArchiveError> {
    let wrong = |source| ArchiveError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(wrong)?.take(MAX_TOTAL_BYTES + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > MAX_TOTAL_BYTES { Err(ArchiveError::TooMuch) } else { Ok(bytes) }
}

/// The files of a folder, as if they were in an archive. Hidden ones are left out, but for those that mean something in a bundle.
pub(super) fn gather(root: &Path, size_limit: u64) -> Result<Files, ArchiveError> {
    let mut files = Files::new();
    let mut total = 0_u64;
    let mut folders = vec![(root.to_owned(), String::new(), 0_usize)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |source| ArchiveError::Read { path, source }
        };
        if depth > MAX_DEPTH {
            return Err(wrong(&folder)(std::io::Error::other(format!("nested deeper than {MAX_DEPTH} levels"))));
        }
        for entry in fs::read_dir(&folder).map_err(wrong(&folder))? {
            let entry = entry.map_err(wrong(&folder))?;
            let place = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| ArchiveError::Path(name.to_string_lossy().into_owned()))?;
            if name.starts_with('.') && !matches!(name, ".manifest" | ".signatures.json") {
                continue;
            }
            // Follows links: a ConfigMap is mounted as links into a hidden folder.
            let about = fs::metadata(&place).map_err(wrong(&place))?;
            let path = format!("{prefix}{name}");
            if about.is_dir() {
                folders.push((place, format!("{path}/"), depth + 1));
                continue;
            }
            total = total.saturating_add(about.len());
            if about.len() > size_limit {
                return Err(ArchiveError::TooLong { path, limit: size_limit });
            }
            if total > MAX_TOTAL_BYTES || files.len() >= MAX_FILES {
                return Err(ArchiveError::TooMuch);
            }
            files.insert(path, read_file(&place)?);
        }
    }
    Ok(files)
}

/// Something that changes when a file of the folder does.
pub(super) fn fingerprint(root: &Path) -> Result<Vec<u8>, ArchiveError> {
    let mut all = Vec::new();
    for (path, contents) in gather(root, MAX_TOTAL_BYTES)? {
        all.extend_from_slice(path.as_bytes());
        all.extend_from_slice(&crypto::sha256(&contents));
    }
    Ok(all)
}

/// How deep folders may be nested; also ends loops of links.
const MAX_DEPTH: usize = 16;

/// Room for the headers and the padding of all files.
const HEADERS: u64 = (MAX_FILES as u64 + 2) * 2_048;

fn path_of(bytes: &[u8]) -> Result<String, ArchiveError> {
    let refused = || ArchiveError::Path(String::from_utf8_lossy(bytes).chars().take(200).collect());
    let text = std::str::from_utf8(bytes).map_err(|_no_text| refused())?;
    let path = text.trim_start_matches("./").trim_start_matches('/');
    let parts_are_names = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if path.len() > MAX_PATH_BYTES || !parts_are_names || path.contains(['\\', '\0']) {
        return Err(refused());
    }
    Ok(path.to_owned())
}
