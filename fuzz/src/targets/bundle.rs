//! Bundles: archives of whoever serves them.
//!
//! An input is a gzip stream as it came; or a tar archive, whose check sums are put right and which is compressed here, so that
//! mutations get behind both; or, when it starts with `=== `, the files themselves in text form:
//!
//! ```text
//! === path
//! contents
//! ```
//!
//! A file `.payload.json` there is signed, and the signature put in its place.

use std::io::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use policy::bundle::{Bundle, ReadOptions, Verification};
use policy::opa::config::{Key, Signing};
use serde_json::json;

/// What is read is bounded, stays inside of the archive, and, where a signature is asked for, is what was signed.
pub(super) fn run(bytes: &[u8]) {
    let archive = match bytes {
        [0x1f, 0x8b, ..] => bytes.to_vec(),
        _ => match bytes.strip_prefix(MARK.as_bytes()) {
            Some(text) => zip(&tar_of(&files_of(text))),
            None => zip(&with_check_sums(bytes)),
        },
    };
    let read = [
        Bundle::read(&archive, &ReadOptions::default()),
        Bundle::read(&archive, &ReadOptions { size_limit: Some(LIMIT), is_v0: true, ..ReadOptions::default() }),
        Bundle::read(&archive, &ReadOptions { verification: Some(VERIFICATION.clone()), ..ReadOptions::default() }),
        Bundle::read(&archive, &ReadOptions { verification: Some(OTHERS.clone()), ..ReadOptions::default() }),
    ];
    for result in &read {
        match result {
            Ok(bundle) => well_formed(bundle, archive.len()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let [plain, limited, signed, _] = read;
    assert!(plain.is_err() || signed.is_err(), "taken both with and without a signature");
    if let Ok(bundle) = &limited {
        assert!(bundle.policies.iter().all(|(_, text, _)| text.len() as u64 <= LIMIT));
        assert!(plain.is_ok(), "refused only where more is allowed");
    }
    if let Ok(bundle) = signed {
        assert_eq!((&bundle.policies, &bundle.data), (&SIGNED.policies, &SIGNED.data), "nobody signed this");
    }
}

fn well_formed(bundle: &Bundle, archive_len: usize) {
    assert_eq!(bundle.size, archive_len);
    assert!(bundle.data.is_object());
    for (path, ..) in &bundle.policies {
        let parts_are_names = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        assert!(parts_are_names && !path.contains(['\\', '\0']), "the path {path:?} was taken");
        assert!(path.ends_with(".rego") && path.len() <= 1_024);
    }
    let roots = bundle.manifest.roots();
    assert!(roots.iter().all(|root| !root.starts_with('/') && !root.ends_with('/')), "{roots:?}");
    assert_eq!(policy::bundle::overlap(roots, roots), None, "{roots:?}");
}

const MARK: &str = "=== ";
const LIMIT: u64 = 256;

/// Paths and contents of the text form.
fn files_of(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut files: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let separator = format!("\n{MARK}");
    let mut rest = text;
    loop {
        let end = rest.windows(separator.len()).position(|window| window == separator.as_bytes());
        let (file, after) = end.map_or((rest, None), |at| (&rest[..at + 1], Some(&rest[at + separator.len()..])));
        let name_end = file.iter().position(|byte| *byte == b'\n').unwrap_or(file.len());
        let (name, contents) = file.split_at(name_end);
        files.push((name.to_vec(), contents.get(1..).unwrap_or_default().to_vec()));
        match after {
            Some(after) => rest = after,
            None => break,
        }
    }
    for (name, contents) in &mut files {
        if name == b".payload.json" {
            *name = b".signatures.json".to_vec();
            *contents = signature(FUZZED_SECRET, contents).into_bytes();
        }
    }
    files
}

fn tar_of(files: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        // `set_path` refuses what is to be tried here.
        let field = &mut header.as_gnu_mut().expect("a GNU header").name;
        let len = name.len().min(field.len());
        field[..len].copy_from_slice(&name[..len]);
        header.set_cksum();
        builder.append(&header, contents.as_slice()).expect("written to memory");
    }
    builder.into_inner().expect("written to memory")
}

/// The same archive with right check sums in its headers.
fn with_check_sums(bytes: &[u8]) -> Vec<u8> {
    let mut archive = bytes.to_vec();
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..at + BLOCK) {
        let mut header = tar::Header::from_byte_slice(block).clone();
        if block.iter().any(|byte| *byte != 0) {
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
        let contents = usize::try_from(header.entry_size().unwrap_or_default()).unwrap_or(usize::MAX);
        at = at.saturating_add(BLOCK).saturating_add(contents.div_ceil(BLOCK).saturating_mul(BLOCK));
        if at > archive.len() {
            break;
        }
    }
    archive
}

const BLOCK: usize = 512;

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("written to memory");
    encoder.finish().expect("written to memory")
}

/// `.signatures.json` of a payload.
fn signature(secret: &str, payload: &[u8]) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = json!({ "alg": "HS256", "kid": "k1" }).to_string();
    let head = format!("{}.{}", part(header.as_bytes()), part(payload));
    let key = json!({ "kty": "oct", "k": part(secret.as_bytes()) });
    let key = key.as_object().expect("an object");
    let signature = crypto::keys::sign("HS256", key, head.as_bytes()).expect("a key that signs");
    json!({ "signatures": [format!("{head}.{}", part(&signature))] }).to_string()
}

/// The key of the seed `signed`: nothing else was ever signed with it.
static VERIFICATION: LazyLock<Verification> = LazyLock::new(|| verification("the secret of the seed"));
/// The key of payloads that are signed as they come.
static OTHERS: LazyLock<Verification> = LazyLock::new(|| verification(FUZZED_SECRET));

const FUZZED_SECRET: &str = "whatever comes";

fn verification(secret: &str) -> Verification {
    crypto::install_default_provider();
    let key = Key { algorithm: Some("HS256".to_owned()), key: secret.to_owned(), scope: Some("read".to_owned()) };
    let signing =
        Signing { keyid: Some("k1".to_owned()), exclude_files: vec!["notes/*".to_owned()], ..Signing::default() };
    Verification::new(&signing, &[("k1".to_owned(), key)].into()).expect("a key")
}

/// What was signed.
static SIGNED: LazyLock<Bundle> = LazyLock::new(|| {
    let seed = std::fs::read(crate::folder().join("seeds/bundle/signed")).expect("a seed");
    let files = files_of(seed.strip_prefix(MARK.as_bytes()).expect("a seed in text form"));
    let options = ReadOptions { verification: Some(VERIFICATION.clone()), ..ReadOptions::default() };
    Bundle::read(&zip(&tar_of(&files)), &options).expect("the seed is signed")
});
