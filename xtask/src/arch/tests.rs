use super::Package;
use super::rules::problems;

const MAP: &str = "`model` `crypto` `net` `authn` `policy` `gateway` `xtask` `tests` `utils`";

fn package(name: &str, dependencies: &[&str]) -> Package {
    Package {
        name: name.into(),
        folder: name.into(),
        manifest: "[package]\n[lints]\nworkspace = true\n".into(),
        has_build_script: false,
        dependencies: dependencies.iter().map(ToString::to_string).collect(),
        shipped: dependencies.iter().map(ToString::to_string).collect(),
    }
}

fn found(packages: &[Package]) -> String {
    problems(packages, MAP).join("\n")
}

#[test]
fn a_good_workspace_has_no_problem() {
    let good = [
        package("model", &["serde"]),
        package("crypto", &["model", "aws-lc-rs", "jsonwebtoken"]),
        package("authn", &["model", "crypto"]),
        package("gateway", &["authn", "tonic", "prost-types", "envoy-types"]),
        package("tests", &["gateway", "tonic", "aws-lc-rs"]),
        package("xtask", &["clap"]),
    ];
    assert_eq!(found(&good), "");
}

#[test]
fn engines_do_not_depend_on_each_other() {
    let text = found(&[package("authn", &["policy"]), package("policy", &[])]);
    assert_eq!(text, "authn (level 2): depends on policy (level 2), which is not lower");
}

#[test]
fn nothing_depends_upwards() {
    let text = found(&[package("model", &["gateway"]), package("gateway", &[])]);
    assert_eq!(text, "model (level 0): depends on gateway (level 5), which is not lower");
}

#[test]
fn heavy_dependencies_have_one_owner() {
    let text = found(&[package("authn", &["tonic-prost", "aws-lc-rs", "reqwest"])]);
    assert!(text.contains("authn: depends on tonic-prost; only `gateway` knows tonic"), "{text}");
    assert!(text.contains("authn: depends on aws-lc-rs; only `crypto` calls crypto primitives"), "{text}");
    assert!(text.contains("authn: depends on reqwest; everything that fetches uses `net`"), "{text}");
}

#[test]
fn tests_may_use_what_the_crate_may_not() {
    let mut authn = package("authn", &["jsonwebtoken"]);
    assert_eq!(
        found(std::slice::from_ref(&authn)),
        "authn: depends on jsonwebtoken; only `crypto` calls crypto primitives"
    );
    authn.shipped.clear();
    assert_eq!(found(&[authn]), "");
}

#[test]
fn xtask_knows_nothing_of_ours() {
    let text = found(&[package("xtask", &["model"]), package("model", &[])]);
    assert_eq!(text, "xtask: depends on model; it depends on nothing of ours");
}

#[test]
fn a_new_crate_needs_a_level_and_a_place_on_the_map() {
    let text = found(&[package("helpers", &[])]);
    assert!(text.contains("helpers: has no level"), "{text}");
    assert!(text.contains("helpers: docs/ARCHITECTURE.md does not mention it"), "{text}");
}

#[test]
fn lints_are_inherited_and_names_agree() {
    let mut bad = package("model", &[]);
    bad.manifest = "[lints]\n[dependencies]\nworkspace = true\n".into();
    bad.folder = "vocabulary".into();
    bad.has_build_script = true;
    let text = found(&[bad]);
    assert!(text.contains("lacks `[lints] workspace = true`"), "{text}");
    assert!(text.contains("its folder is called vocabulary"), "{text}");
    assert!(text.contains("build script"), "{text}");
}
