//! What people read.

use super::facts::Facts;
use super::goals::Goal;
use super::summary::Line;

/// The figures and the goals as Markdown.
pub fn table(lines: &[Line], goals: &[Goal], facts: &Facts) -> String {
    let mut text = String::from(
        "| case | no-op µs | gatehouse µs | plugin µs | gatehouse : no-op | plugin : no-op | plugin : gatehouse | engine alone ns | engine | RSS MiB gatehouse / plugin | rounds |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let rounds = match (line.rounds_clean, line.rounds_noisy) {
            (0, noisy) => format!("none clean: {noisy} NOISY ones used"),
            (clean, 0) => clean.to_string(),
            (clean, noisy) => format!("{clean}, {noisy} noisy left out"),
        };
        let engine = line.engine.split(':').next().unwrap_or_default();
        text.push_str(&format!(
            "| {} | {:.1} | {:.1} ({:.1}) | {:.1} ({:.1}) | {:.2} | {:.2} | **{:.2}** ({:.2}) | {:.0} | {engine} | {:.0} / {:.0} | {rounds} |\n",
            line.title,
            line.noop.cpu_us,
            line.gatehouse.cpu_us,
            line.gatehouse.cpu_us_median,
            line.plugin.cpu_us,
            line.plugin.cpu_us_median,
            line.gatehouse_to_noop.lowest,
            line.plugin_to_noop.lowest,
            line.plugin_to_gatehouse.lowest,
            line.plugin_to_gatehouse.median,
            line.engine_ns,
            line.gatehouse.rss_mib,
            line.plugin.rss_mib,
        ));
    }
    for line in lines.iter().filter(|line| line.engine.contains(':')) {
        text.push_str(&format!("\n`{}` is not on the register machine: {}\n", line.case, line.engine));
    }
    if facts.processors < 3 && lines.iter().any(|line| line.workers > 1) {
        text.push_str("\nWith two processors, a server with two workers shares one of them with the load generator.\n");
    }
    text.push_str("\n| goal | measured | |\n|---|---|---|\n");
    for goal in goals {
        let measured = goal.measured.map_or("–".to_owned(), |measured| format!("{measured:.2}"));
        let verdict = match goal.met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "not measured",
        };
        text.push_str(&format!("| {} | {measured} | {verdict} |\n", goal.goal));
    }
    text
}

/// The page in the documentation.
pub fn page(table: &str, facts: &Facts) -> String {
    let Facts { date, processor, processors, kernel, gatehouse, plugin, rounds, seconds } = facts;
    format!(
        "# Policies: Gatehouse and opa-envoy-plugin

Written by `cargo xtask bench policy --write`; what each case is stands in `benches/README.md`.

- {date}, {processors} processors ({processor}), Linux {kernel}
- Gatehouse {gatehouse}, release build, `gatehouse opa run --server`
- opa-envoy-plugin with {plugin}, garbage collector as by default
- No log of decisions in either; the same arguments, policies, data and serialized requests.

CPU time of the server per gRPC request, 64 requests always under way over a Unix socket, one processor each for server and load
generator: the lowest of {rounds} interleaved rounds of {seconds} seconds, with the median in brackets. Every answer was checked; one in
eight is a denial. *No-op* decodes the request with tonic and prost and allows it. *Engine alone* is CPU time of one evaluation on a
parsed request, input and answer included, without gRPC.

{table}"
    )
}
