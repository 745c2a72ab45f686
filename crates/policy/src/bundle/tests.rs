use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::opa::config::{Key, Signing};

/// A `tar.gz` of these files.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // `set_path` refuses what this test wants to show.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn read(files: &[(&str, &str)]) -> Result<Bundle, String> {
    Bundle::read(&archive(files), &ReadOptions::default()).map_err(|error| error.to_string())
}

fn wrong(files: &[(&str, &str)]) -> String {
    read(files).unwrap_err()
}

const POLICY: &str = "package a.b\n\nallow := true\n";

#[test]
fn policies_and_data_come_out() {
    let bundle = read(&[
        (".manifest", r#"{"revision": "7", "roots": ["a/b", "/c/"], "metadata": {"x": 1}}"#),
        ("./a/b/p.rego", POLICY),
        ("/c/data.json", r#"{"n": 1}"#),
        ("c/d/data.yaml", "m: [1, 2]\n"),
        ("README.md", "text"),
        ("policy.wasm", "binary"),
    ])
    .unwrap();
    assert_eq!(bundle.manifest.revision, "7");
    assert_eq!(bundle.manifest.roots(), ["a/b", "c"]);
    assert_eq!(bundle.policies, [("a/b/p.rego".to_owned(), POLICY.to_owned(), false)]);
    assert_eq!(bundle.data, json!({ "c": { "n": 1, "d": { "m": [1, 2] } } }));
}

#[test]
fn a_bundle_without_manifest_has_all_roots() {
    let bundle = read(&[("p.rego", POLICY), ("data.json", r#"{"x": true}"#)]).unwrap();
    assert_eq!((bundle.manifest.roots(), bundle.manifest.revision.as_str()), (&[String::new()][..], ""));
    assert_eq!(bundle.data, json!({ "x": true }));
}

#[test]
fn versions_of_rego_are_read() {
    let manifest = r#"{"rego_version": 0, "file_rego_versions": {"/new/*.rego": 1}}"#;
    let bundle =
        read(&[(".manifest", manifest), ("old.rego", "package o\n\nallow { true }\n"), ("new/n.rego", POLICY)])
            .unwrap();
    let versions: Vec<_> = bundle.policies.iter().map(|(path, _, v0)| (path.as_str(), *v0)).collect();
    assert_eq!(versions, [("new/n.rego", false), ("old.rego", true)]);
}

#[test]
fn what_is_no_bundle_is_refused() {
    for path in ["../x.rego", "a/../../x", "a//b", "a/./b", "a\\b"] {
        assert!(wrong(&[(path, "x")]).contains("leads out"), "{path}");
    }
    assert!(wrong(&[("a.rego", POLICY), ("/a.rego", POLICY)]).contains("two files"));
    let manifest = |text: &str| wrong(&[(".manifest", text), ("p.rego", POLICY)]);
    assert!(manifest(r#"{"roots": ["a", "a/b"]}"#).contains("overlap"));
    assert!(manifest(r#"{"roots": ["a", "a"]}"#).contains("overlap"));
    assert!(manifest(r#"{"roots": ["", "a"]}"#).contains("overlap"));
    assert!(manifest(r#"{"rego_version": 2}"#).contains("rego_version 2"));
    assert!(manifest(r#"{"wasm": [{"entrypoint": "a"}]}"#).contains("WebAssembly"));
    assert!(manifest("{").contains(".manifest"));
    let data = |text: &str| wrong(&[(".manifest", r#"{"roots": ["a/b"]}"#), ("data.json", text)]);
    assert!(data(r#"{"c": 1}"#).contains("none of the roots"));
    assert!(data(r#"{"a": 1}"#).contains("none of the roots"));
    assert!(data(r#"{"a": {"c": 1}}"#).contains("none of the roots"));
    assert!(data("[]").contains("must be an object"));
    assert!(data("{").contains("data.json"));
    let twice = wrong(&[("data.json", r#"{"a": {"b": 1}}"#), ("a/data.json", r#"{"b": 2}"#)]);
    assert!(twice.contains("another data file"), "{twice}");
}

#[test]
fn packages_are_under_the_roots() {
    let compiled = |roots: &str| {
        let bundle = read(&[(".manifest", &format!(r#"{{"roots": {roots}}}"#)), ("p.rego", POLICY)]).unwrap();
        let mut loaded = crate::opa::Loaded::default();
        loaded.add_bundle("b", &bundle);
        crate::opa::evaluate(&loaded, &["a".to_owned(), "b".to_owned(), "allow".to_owned()])
    };
    for roots in [r#"["a"]"#, r#"["a/b"]"#, r#"[""]"#] {
        assert_eq!(compiled(roots), Ok(json!(true)), "{roots}");
    }
    for roots in [r#"["ab"]"#, "[]", r#"["a/b/c"]"#] {
        assert!(compiled(roots).unwrap_err().concat().contains("none of the roots"), "{roots}");
    }
}

#[test]
fn archives_that_are_cut_or_too_large_are_refused() {
    let whole = archive(&[("p.rego", POLICY), ("data.json", "{}")]);
    for end in 0..whole.len() {
        assert!(Bundle::read(&whole[..end], &ReadOptions::default()).is_err(), "cut at {end}");
    }
    for text in ["", "<html>not found</html>", "\x1f\u{8b}"] {
        assert!(Bundle::read(text.as_bytes(), &ReadOptions::default()).is_err());
    }
    let options = ReadOptions { size_limit: Some(10), ..ReadOptions::default() };
    assert!(Bundle::read(&whole, &options).unwrap_err().to_string().contains("size_limit_bytes"));
    // A gigabyte of zeros in some KiB.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_size(1 << 30);
    header.set_path("data.json").unwrap();
    header.set_cksum();
    bomb.write_all(header.as_bytes()).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..64).for_each(|_| bomb.write_all(&zeros).unwrap());
    let error = Bundle::read(&bomb.finish().unwrap(), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

fn verification(key: &str) -> Verification {
    let keys = [(
        "k1".to_owned(),
        Key { algorithm: Some("HS256".to_owned()), key: key.to_owned(), scope: Some("write".to_owned()) },
    )];
    let signing = Signing { keyid: None, scope: None, exclude_files: vec!["*.md".to_owned()] };
    Verification::new(&signing, &keys.into_iter().collect()).unwrap()
}

fn hash(text: &str) -> String {
    crypto::sha256(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

fn signed(key: &str, payload: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = format!("{}.{}", part(&json!({ "alg": "HS256", "kid": "k1" })), part(payload));
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(key) });
    let signature = crypto::keys::sign("HS256", jwk.as_object().unwrap(), head.as_bytes()).unwrap();
    json!({ "signatures": [format!("{head}.{}", URL_SAFE_NO_PAD.encode(signature))] }).to_string()
}

#[test]
fn signatures_are_checked() {
    // Data is hashed in canonical form: keys in order, numbers as written.
    let data = r#"{ "z": 1.50, "a": ["x", {"c": null, "b": "<\n"}] }"#;
    let canonical = "{\"a\":[\"x\",{\"b\":\"<\\n\",\"c\":null}],\"z\":1.50}";
    let file = |name: &str, hash: String| json!({ "name": name, "hash": hash, "algorithm": "SHA-256" });
    let good = json!({ "files": [file("p.rego", hash(POLICY)), file("data.json", hash(canonical))], "scope": "write" });
    let check = |key: &str, payload: &serde_json::Value, files: &[(&str, &str)]| {
        let signature = signed(key, payload);
        let all: Vec<_> = files.iter().copied().chain([(".signatures.json", signature.as_str())]).collect();
        let options = ReadOptions { verification: Some(verification("secret")), ..ReadOptions::default() };
        Bundle::read(&archive(&all), &options).map(drop).map_err(|error| error.to_string())
    };
    let files = [("p.rego", POLICY), ("data.json", data), ("README.md", "unsigned")];
    assert_eq!(check("secret", &good, &files), Ok(()));
    let error =
        |key: &str, payload: &serde_json::Value, files: &[(&str, &str)]| check(key, payload, files).unwrap_err();
    assert_eq!(error("other", &good, &files), "the signature is wrong");
    assert!(error("secret", &good, &[files[0], ("data.json", "{}")]).contains("not what was signed"));
    assert!(error("secret", &good, &[files[0], files[1], ("q.rego", POLICY)]).contains("not signed"));
    assert!(error("secret", &good, &[files[0]]).contains("not in the bundle"));
    let mut scope = good.clone();
    scope["scope"] = json!("read");
    assert!(error("secret", &scope, &files).contains("scope"));
    let mut md5 = good.clone();
    md5["files"][0]["algorithm"] = json!("MD5");
    assert!(error("secret", &md5, &files).contains("not served"));
    // Signed without being asked for, and asked for without being signed.
    let signature = signed("secret", &good);
    assert!(wrong(&[files[0], files[1], (".signatures.json", &signature)]).contains("the bundle is signed"));
    let options = ReadOptions { verification: Some(verification("secret")), ..ReadOptions::default() };
    let unsigned = Bundle::read(&archive(&files), &options).unwrap_err();
    assert!(unsigned.to_string().contains("not signed"), "{unsigned}");
    for text in [r#"{"signatures": []}"#, r#"{"signatures": ["a", "b"]}"#, r#"{"signatures": ["a.b"]}"#, "{"] {
        let files = archive(&[files[0], (".signatures.json", text)]);
        assert!(Bundle::read(&files, &options).is_err(), "{text}");
    }
}

#[test]
fn roots_of_two_bundles_are_compared() {
    let roots = |list: &[&str]| list.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>();
    assert_eq!(overlap(&roots(&["a", "b/c"]), &roots(&["b/c/d"])), Some(("b/c", "b/c/d")));
    assert_eq!(overlap(&roots(&["a"]), &roots(&["ab", "b/a"])), None);
    assert_eq!(overlap(&roots(&[""]), &roots(&["x"])), Some(("", "x")));
}

#[test]
fn archives_are_kept_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "authz/main").unwrap();
    assert_eq!(store.load().unwrap(), None);
    store.save(b"one").unwrap();
    store.save(b"two").unwrap();
    assert_eq!(store.load().unwrap().as_deref(), Some(&b"two"[..]));
    assert!(folder.path().join("bundles/authz/main/bundle.tar.gz").is_file());
    for name in ["", "..", "a/../b", "/a", "a\0"] {
        assert!(Store::new(folder.path(), name).is_err(), "{name:?}");
    }
}
