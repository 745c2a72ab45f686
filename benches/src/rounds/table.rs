//! The table that people read.

use super::case::CASES;
use super::summary::Summary;

/// A Markdown table of all lines.
pub fn markdown(lines: &[Summary], rate: u32) -> String {
    let mut text = format!(
        "| case | µs/request, lowest (median) | requests/s per core | share of no-op, lowest (median) | goal | \
         p50 / p99 / p99.9 µs at {rate}/s | RSS MiB idle → loaded | rounds |\n|---|---|---|---|---|---|---|---|\n"
    );
    for line in lines {
        let title = CASES.iter().find(|case| case.name == line.case).map_or(line.case, |case| case.title);
        let goal = line.goal.map_or("–".to_owned(), |goal| {
            let verdict = if line.ratio_to_noop >= goal { "met" } else { "missed" };
            format!("≥ {goal:.2}: {verdict}")
        });
        let rounds = match (line.rounds_clean, line.rounds_noisy) {
            (0, noisy) => format!("none clean: {noisy} NOISY ones used"),
            (clean, 0) => clean.to_string(),
            (clean, noisy) => format!("{clean}, {noisy} noisy left out"),
        };
        text.push_str(&format!(
            "| {title} | {:.1} ({:.1}) | {:.0} | {:.2} ({:.2}) | {goal} | {:.0} / {:.0} / {:.0} | {:.0} → {:.0} | {rounds} |\n",
            line.cpu_us_per_request,
            line.cpu_us_per_request_median,
            line.requests_per_second_per_core,
            line.ratio_to_noop,
            line.ratio_to_noop_median,
            line.p50_us,
            line.p99_us,
            line.p999_us,
            line.rss_idle_mib,
            line.rss_mib,
        ));
    }
    text
}
