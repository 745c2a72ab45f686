//! Generated pages: printed by the program itself, so that they cannot differ from it.

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::product;
use crate::steps::{Steps, repository, target};

/// Pages in `docs/reference` and the command that prints each.
const PAGES: [(&str, &str); 4] = [
    ("configuration.md", "reference"),
    ("config.yaml", "default-document"),
    ("metrics.md", "metrics-catalogue"),
    ("config.schema.json", "schema"),
];

/// `cargo xtask gen`
pub(crate) fn run(steps: &Steps, check: bool) -> anyhow::Result<()> {
    product::build(steps)?;
    let folder = repository().join("docs/reference");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut stale = Vec::new();
    for (page, printer) in PAGES {
        let wanted = steps.output(Command::new(target().join("debug/gatehouse")).arg(printer))?;
        let file = folder.join(page);
        if std::fs::read(&file).is_ok_and(|found| found == wanted) {
            continue;
        }
        if check {
            stale.push(format!("docs/reference/{page}"));
        } else {
            std::fs::write(&file, wanted).with_context(|| format!("cannot write {}", file.display()))?;
            steps.say(&format!("wrote docs/reference/{page}"));
        }
    }
    if !stale.is_empty() {
        bail!("not up to date: {}; run `cargo xtask gen` and commit the result", stale.join(", "));
    }
    Ok(())
}
