//! Every configuration in `docs/guides` is good.
//!
//! A block that begins with `# gatehouse.yaml` is a whole configuration, one with `# part of gatehouse.yaml` needs the sections
//! of [`BASE`] that it does not have itself, and one with another file name is a file beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block of a page.
struct Block {
    page: PathBuf,
    line: usize,
    name: String,
    text: String,
}

#[test]
fn every_configuration_of_a_guide_is_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides");
    let mut checked = 0;
    let mut bad = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let blocks = blocks(&entry.unwrap().path());
        for block in &blocks {
            let text = match block.name.as_str() {
                "gatehouse.yaml" => block.text.clone(),
                "part of gatehouse.yaml" => completed(&block.text),
                _ => continue,
            };
            bad.extend(check(block, &text, &blocks));
            checked += 1;
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(checked > 25, "only {checked} configurations were found");
}

/// What `gatehouse check` has against a block.
fn check(block: &Block, text: &str, blocks: &[Block]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    for file in blocks.iter().filter(|b| !b.name.ends_with("gatehouse.yaml")) {
        let path = folder.path().join(&file.name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
    }
    let config = folder.path().join("gatehouse.yaml");
    std::fs::write(&config, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gatehouse")).args(["check", "-c"]).arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    (!output.status.success()).then(|| format!("{}:{}:\n{said}\n{text}", block.page.display(), block.line))
}

/// Blocks whose first line is a comment with a file name.
fn blocks(page: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        match &mut open {
            None if fence => open = Some((line.len() - line.trim_start().len(), String::new())),
            None => {}
            Some(_) if fence => {
                let (_, text) = open.take().unwrap();
                let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default().to_owned();
                if [".yaml", ".rego"].iter().any(|end| name.ends_with(end)) {
                    found.push(Block { page: page.to_owned(), line: number + 1, name, text });
                }
            }
            Some((indent, text)) => {
                text.push_str(line.get(*indent..).unwrap_or_default());
                text.push('\n');
            }
        }
    }
    found
}

/// The part, with the sections of [`BASE`] that it lacks.
fn completed(part: &str) -> String {
    let has = |key: &str| part.lines().any(|line| line.starts_with(key));
    let lacking = BASE.iter().filter(|(key, _)| !has(key)).map(|(key, value)| format!("{key} {value}\n"));
    lacking.collect::<String>() + part
}

const BASE: [(&str, &str); 3] = [
    ("apiVersion:", "gatehouse/v1"),
    ("server:", "{ listeners: [{ address: \"127.0.0.1:9191\", serves: [check] }] }"),
    (
        "authn:",
        "{ issuers: { corp: { issuer: https://auth.example.com, audiences: [https://api.example.com], \
         jwks: { url: https://auth.example.com/jwks.json } } } }",
    ),
];
