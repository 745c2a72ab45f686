//! What a page points at is there.

use std::path::{Path, PathBuf};

#[test]
fn every_link_and_path_of_a_page_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("CHANGELOG.md")];
    pages.extend(markdown(&root.join("docs")));
    pages.extend(markdown(&root.join("examples")));
    let (mut checked, mut lost) = (0, Vec::new());
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        let links = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
        let beside = links.map(|link| page.parent().unwrap().join(link.split('#').next().unwrap()));
        // A path in code is one from the top.
        let code = text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("crates/"));
        let from_top = code.filter(|code| !code.contains(['*', '<', ' '])).map(|code| root.join(code));
        for target in beside.chain(from_top) {
            checked += 1;
            if !target.exists() {
                lost.push(format!("{}: {}", page.display(), target.display()));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    assert!(checked > 50, "only {checked} links were found");
}

/// The pages in a folder and below it.
fn markdown(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.flat_map(|path| if path.is_dir() { markdown(&path) } else { vec![path] });
    pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}
