//! Reading files in the form of `envoyproxy/ratelimit`. Error texts are its own, so that people find help for them.

use std::path::{Path as FilePath, PathBuf};

use ::config::{Path, Problems};
use serde_json::{Map, Value};

use super::tree::{DescriptorTree, Node, Quota, Rule, Unit};
use crate::config::AlgorithmConfig;
use crate::limit::Limit;
use crate::rate::Rate;

const MAX_FILE: u64 = 16 * 1024 * 1024;
const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 32;

/// Keys that may stand at any level.
const KEYS: [&str; 16] = [
    "domain",
    "key",
    "value",
    "descriptors",
    "rate_limit",
    "unit",
    "requests_per_unit",
    "unlimited",
    "shadow_mode",
    "name",
    "replaces",
    "detailed_metric",
    "value_to_metric",
    "share_threshold",
    "quota_mode",
    "metadata",
];

/// Keys that shape statistics and metadata, of which a later version makes use. No decision depends on them.
const NOT_YET: [&str; 3] = ["detailed_metric", "value_to_metric", "metadata"];

/// Loads a file or every file of a folder, in the order of their names. All problems are collected; `None` when there are errors.
pub fn load_descriptors(path: &FilePath, at: &Path, problems: &mut Problems) -> Option<DescriptorTree> {
    let files = match files(path) {
        Ok(files) => files,
        Err(error) => {
            problems.error(at, format!("cannot read {}: {error}", path.display()));
            return None;
        }
    };
    let mut tree = DescriptorTree::default();
    let mut fine = true;
    for file in files {
        let loaded = read(&file).and_then(|text| {
            parse(&text, &mut tree, &mut |key| {
                problems.warn(at, format!("{}: `{key}` is read but not acted on", file.display()));
            })
        });
        if let Err(message) = loaded {
            problems.error(at, format!("{}: {message}", file.display()));
            fine = false;
        }
    }
    fine.then_some(tree)
}

/// Parses one file's text into a tree of its own. For tests and fuzzing.
///
/// # Errors
/// What is wrong, in the words of envoyproxy/ratelimit.
pub fn parse_descriptors(text: &str) -> Result<DescriptorTree, String> {
    let mut tree = DescriptorTree::default();
    parse(text, &mut tree, &mut |_| {})?;
    Ok(tree)
}

fn files(path: &FilePath) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?.path();
            // Kubernetes keeps what a ConfigMap's links point to in hidden folders.
            let hidden = entry.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if hidden {
                continue;
            }
            if std::fs::metadata(&entry)?.is_dir() {
                open.push(entry)
            } else {
                files.push(entry)
            }
            if files.len() + open.len() > MAX_FILES {
                return Err(std::io::Error::other("too many files"));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &FilePath) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|e| e.to_string())?.len();
    if size > MAX_FILE {
        return Err(format!("larger than {MAX_FILE} bytes"));
    }
    std::fs::read_to_string(file).map_err(|e| e.to_string())
}

fn parse(text: &str, tree: &mut DescriptorTree, unused: &mut dyn FnMut(&str)) -> Result<(), String> {
    // `y`, `yes` and `on` stay texts: as keys and values that is what they are, and `flag` knows them.
    let value: Value = serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true })
        .map_err(|e| format!("error loading config file: {}", first_line(&e.to_string())))?;
    let Value::Object(file) = value else { return Err("error loading config file: the file is no mapping".to_owned()) };
    check_keys(&file, 0)?;
    for key in NOT_YET {
        if mentions(&file, key, 0) {
            unused(key);
        }
    }
    let domain = text_of(&file, "domain");
    if domain.is_empty() {
        return Err("config file cannot have empty domain".to_owned());
    }
    if tree.domains.contains_key(&domain) {
        return Err(format!("duplicate domain '{domain}' in config file"));
    }
    let mut root = Node::default();
    children(&file, &domain, &domain, &mut root)?;
    tree.domains.insert(domain, root);
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// One flat set of keys, applied at every level; what stands under `metadata` is free.
fn check_keys(map: &Map<String, Value>, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("config error, descriptors are nested too deep".to_owned());
    }
    for (key, value) in map {
        if !KEYS.contains(&key.as_str()) {
            return Err(format!("config error, unknown key '{key}'"));
        }
        match value {
            _ if key == "metadata" => {}
            Value::Object(map) => check_keys(map, depth + 1)?,
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Object(map) => check_keys(map, depth + 1)?,
                        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                            return Err(format!(
                                "config error, yaml file contains list of type other than map: {}",
                                plain(item)
                            ));
                        }
                    }
                }
            }
            Value::Number(number) if !number.is_i64() => return Err("error checking config".to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

fn mentions(map: &Map<String, Value>, key: &str, depth: usize) -> bool {
    let set = map.get(key).is_some_and(|v| *v != Value::Bool(false) && *v != Value::Null);
    let nested = || {
        map.get("descriptors")
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().filter_map(Value::as_object).any(|m| mentions(m, key, depth + 1)))
    };
    set || (depth <= MAX_DEPTH && nested())
}

/// Integers and booleans are read as text where text is expected.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn text_of(map: &Map<String, Value>, key: &str) -> String {
    map.get(key).map(plain).unwrap_or_default()
}

fn flag(map: &Map<String, Value>, key: &str) -> bool {
    match map.get(key) {
        Some(Value::Bool(set)) => *set,
        // YAML 1.1, which envoyproxy/ratelimit reads.
        Some(Value::String(text)) => ["y", "yes", "on"].iter().any(|yes| text.eq_ignore_ascii_case(yes)),
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

/// `path` is for messages and stays as the file spells it; `scope` names the counters and has to be unambiguous.
fn children(map: &Map<String, Value>, path: &str, scope: &str, node: &mut Node) -> Result<(), String> {
    let list = map.get("descriptors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for item in list {
        let Value::Object(descriptor) = item else { continue };
        let key = text_of(descriptor, "key");
        if key.is_empty() {
            return Err("descriptor has empty key".to_owned());
        }
        let value = text_of(descriptor, "value");
        let composite = if value.is_empty() { key.clone() } else { format!("{key}_{value}") };
        let path = format!("{path}.{composite}");
        if node.children.contains_key(&composite) {
            return Err(format!("duplicate descriptor composite key '{path}'"));
        }
        let scope = format!("{scope}\u{1f}{}:{key}\u{1f}{value}", key.len());
        let rule = rule(descriptor, &composite, &scope)?;
        let mut child = Node { rule, shares: flag(descriptor, "share_threshold"), ..Node::default() };
        children(descriptor, &path, &scope, &mut child)?;
        if composite.contains('*') {
            node.wildcards.push(composite.clone());
        }
        node.children.insert(composite, child);
    }
    Ok(())
}

fn rule(descriptor: &Map<String, Value>, composite: &str, scope: &str) -> Result<Option<Rule>, String> {
    let Some(Value::Object(limit)) = descriptor.get("rate_limit") else { return Ok(None) };
    let unit_text = text_of(limit, "unit");
    let unit = Unit::ALL.into_iter().find(|u| unit_text.eq_ignore_ascii_case(u.name()));
    let unlimited = flag(limit, "unlimited");
    let quota = match (unlimited, unit) {
        (true, Some(_)) => return Err("should not specify rate limit unit when unlimited".to_owned()),
        (true, None) => Quota::Unlimited,
        (false, None) => return Err(format!("invalid rate limit unit '{unit_text}'")),
        (false, Some(unit)) => {
            let requests = limit.get("requests_per_unit").map_or(Some(0), Value::as_u64);
            let requests = requests.and_then(|r| u32::try_from(r).ok());
            let requests_per_unit = requests
                .ok_or_else(|| "error loading config file: requests_per_unit is no 32-bit number".to_owned())?;
            quota(requests_per_unit, unit, scope)
        }
    };
    let name = Some(text_of(limit, "name")).filter(|n| !n.is_empty());
    let mut replaces = Vec::new();
    for item in limit.get("replaces").and_then(Value::as_array).into_iter().flatten() {
        let replaced = item.as_object().map(|m| text_of(m, "name")).unwrap_or_default();
        if replaced.is_empty() {
            return Err("should not have an empty replaces entry".to_owned());
        }
        if name.as_ref() == Some(&replaced) {
            return Err("replaces should not contain name of same descriptor".to_owned());
        }
        replaces.push(replaced);
    }
    if flag(descriptor, "share_threshold") && !composite.contains('*') {
        return Err(format!(
            "share_threshold can only be used with wildcard values (containing '*'), but found key '{composite}'"
        ));
    }
    let (shadow, is_quota) = (flag(descriptor, "shadow_mode"), flag(descriptor, "quota_mode"));
    Ok(Some(Rule { name, replaces, shadow, is_quota, quota }))
}

/// `scope` names the rule; the counters of a rule are told apart by the descriptor's runtime values.
pub(crate) fn quota(requests_per_unit: u32, unit: Unit, scope: &str) -> Quota {
    if requests_per_unit == 0 {
        return Quota::Nothing(unit);
    }
    let rate = Rate { requests: u64::from(requests_per_unit), period: unit.period() };
    let limit = Limit::new(&format!("rls\u{1f}{scope}"), rate, AlgorithmConfig::FixedWindow, None);
    Quota::Limited { requests_per_unit, unit, limit }
}
