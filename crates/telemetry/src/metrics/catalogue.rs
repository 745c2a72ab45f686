//! The list of all metrics, for the reference.

use super::Metrics;

/// Every metric with type and meaning, as Markdown. Generated from the exposition itself, so that nothing can be missing.
pub fn catalogue() -> String {
    let metrics = Metrics::new();
    // Families show up once they have a member.
    metrics.key_refresh("example", true);
    metrics.keys_stale_in("example", 0);
    metrics.certificate_expires_in("example", 0);
    let exposition = metrics.encode();
    let mut page =
        "# Metrics\n\nServed at `/metrics`.\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    let lines: Vec<&str> = exposition.lines().collect();
    for help in lines.iter().filter_map(|l| l.strip_prefix("# HELP ")) {
        let Some((name, meaning)) = help.split_once(' ') else { continue };
        let kind = lines
            .iter()
            .find_map(|l| l.strip_prefix("# TYPE ")?.strip_prefix(name)?.strip_prefix(' '))
            .unwrap_or_default();
        let shown = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        let meaning = meaning.trim_end_matches('.');
        page.push_str(&format!("| `{shown}` | {kind} | {} | {meaning} |\n", labels(&lines, name)));
    }
    page
}

/// The label names of a metric, from its first sample.
fn labels(lines: &[&str], name: &str) -> String {
    let sample = lines.iter().find_map(|l| {
        let rest = l.strip_prefix(name)?;
        rest.contains('{').then(|| rest.split_once('{')).flatten().map(|(_, labels)| labels)
    });
    let names = sample.unwrap_or_default().split("\",").filter_map(|pair| pair.split_once('=').map(|(n, _)| n));
    names.filter(|n| *n != "le").map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}
