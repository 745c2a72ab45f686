//! Paths and hosts: what is decided on has one spelling only.

use pipeline::{normalise_host, normalise_path};

/// A normal path is absolute, has no segment that another program reads differently, and stays as it is.
pub(super) fn path(bytes: &[u8]) {
    let Ok(raw) = std::str::from_utf8(bytes) else { return };
    let Ok(normal) = normalise_path(raw) else { return };
    let path = normal.path.as_ref();
    assert_eq!(normal.changed(), path != raw, "{raw:?} became {path:?}");
    assert!(path.starts_with('/'), "{raw:?} became {path:?}");
    let printable = |b: u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'?' | b'"' | b'<' | b'>' | b';');
    assert!(path.bytes().all(printable), "{raw:?} became {path:?}");
    let segments: Vec<_> = path.split('/').skip(1).collect();
    for (position, segment) in segments.iter().enumerate() {
        let last = position + 1 == segments.len();
        assert!(!matches!(*segment, "." | "..") && (last || !segment.is_empty()), "{raw:?} became {path:?}");
    }
    let lower = path.to_ascii_lowercase();
    assert!(normal.encoded_slash || !lower.contains("%2f"), "an encoded slash in {path:?} was not seen");
    assert!(
        normal.backslash || !(lower.contains("%5c") || lower.contains('\\')),
        "a backslash in {path:?} was not seen"
    );
    assert!(normal.nul || !lower.contains("%00"), "a NUL in {path:?} was not seen");
    let again = normalise_path(path).expect("a normal path has a normal form");
    assert_eq!(again.path, path, "the normal form of {raw:?} is not normal");
}

/// A normal host is in lower case, without port and trailing dot, and stays as it is.
pub(super) fn host(bytes: &[u8]) {
    let Ok(raw) = std::str::from_utf8(bytes) else { return };
    let Ok(host) = normalise_host(raw) else { return };
    assert!(!host.is_empty() && !host.ends_with('.'), "{raw:?} became {host:?}");
    assert!(host.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()), "{raw:?} became {host:?}");
    assert!(!host.contains(['/', '@', '\\', '%', '?', '#', '*']), "{raw:?} became {host:?}");
    assert!(host.starts_with('[') || !host.contains(':'), "{raw:?} became {host:?}");
    assert_eq!(normalise_host(&host).as_deref(), Ok(host.as_ref()), "the normal form of {raw:?} is not normal");
}
