//! `gatehouse opa` answers as opa-envoy-plugin does: the cases of `tests/cases/opa-envoy`.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::opa::{Case, CaseFile, Kind, Server, case_files};

/// Every case has its exact answer.
#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_answered_as_the_plugin_answers() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, file) in case_files().unwrap() {
        let answers = answers(Kind::Strict, &file, &file.cases).await;
        for (case, answer) in file.cases.iter().zip(answers) {
            count += 1;
            if answer != case.want {
                wrong.push(format!(
                    "{}: {}\n  is     {answer}\n  wanted {}",
                    path.file_name().unwrap().display(),
                    case.name,
                    case.want
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 130, "only {count} cases");
}

/// The safe default allows nothing that the plugin denies, and denies nothing that it allows, but for what the guide lists.
#[tokio::test(flavor = "multi_thread")]
async fn by_default_decisions_are_the_same() {
    let mut wrong = Vec::new();
    for (path, file) in case_files().unwrap() {
        let answers = answers(Kind::Default, &file, &file.cases).await;
        for (case, answer) in file.cases.iter().zip(answers) {
            // A fault is an error of gRPC there and a denial here.
            let allowed = case.want.get("code") == Some(&Value::from(0));
            let is = answer.get("code") == Some(&Value::from(0));
            if allowed != is && !case.denied_by_default || is && case.denied_by_default {
                wrong.push(format!("{}: {}: {answer}", path.file_name().unwrap().display(), case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `cargo xtask diff opa`: a real plugin and Gatehouse on one corpus, every difference printed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real opa-envoy-plugin: cargo xtask diff opa"]
async fn the_plugin_and_gatehouse_say_the_same() {
    let files = case_files().unwrap();
    let (mut compared, mut listed, mut differences) = (0, BTreeMap::new(), Vec::new());
    let mut compare = async |name: &str, file: &CaseFile, cases: &[Case]| {
        let (plugin, gatehouse) = (answers(Kind::Plugin, file, cases).await, answers(Kind::Strict, file, cases).await);
        for ((case, plugin), gatehouse) in cases.iter().zip(plugin).zip(gatehouse) {
            compared += 1;
            if plugin == gatehouse {
                continue;
            }
            match case.differs.as_ref().or_else(|| file.differs.get(&case.name)) {
                Some(why) => drop(listed.insert(format!("{name}: {}", case.name), why.clone())),
                None => {
                    differences.push(format!("{name}: {}\n  plugin    {plugin}\n  gatehouse {gatehouse}", case.name))
                }
            }
        }
    };
    let mut everything: Vec<Case> = Vec::new();
    for (path, file) in &files {
        let name = path.file_stem().unwrap().to_string_lossy();
        compare(&name, file, &file.cases).await;
        everything.extend(file.cases.iter().cloned());
    }
    // Every request again, with policies that look at all of it.
    for (path, file) in tests::opa::corpus_files().unwrap() {
        compare(&path.file_stem().unwrap().to_string_lossy(), &file, &everything).await;
    }
    println!("{compared} requests × policies compared, {} differences", differences.len());
    for (case, why) in &listed {
        println!("listed: {case}: {why}");
    }
    for difference in &differences {
        println!("DIFFERENCE {difference}");
    }
    assert!(compared >= 300, "only {compared} compared");
    assert!(differences.is_empty(), "{} differences are not listed", differences.len());
}

async fn answers(kind: Kind, file: &CaseFile, cases: &[Case]) -> Vec<Value> {
    let server = Server::start(kind, file).await.unwrap();
    let mut caller = server.caller().await.unwrap();
    let mut answers = Vec::new();
    for case in cases {
        let message = prost::Message::encode_to_vec(&case.request.message().unwrap());
        answers.push(caller.check(&message).await.unwrap_or_else(|error| panic!("{}: {error:#}", case.name)));
    }
    answers
}

/// Prints what the plugin says to each case of `$OPA_CASES` (a file): the way new cases get their `want`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a tool for those who write cases: cargo xtask diff opa --print answers.yaml"]
async fn print_answers() {
    let only = std::env::var("OPA_CASES").unwrap();
    for (path, file) in case_files().unwrap() {
        if path.ends_with(&only) {
            let plugin = answers(Kind::Plugin, &file, &file.cases).await;
            let gatehouse = answers(Kind::Strict, &file, &file.cases).await;
            for ((case, plugin), gatehouse) in file.cases.iter().zip(plugin).zip(gatehouse) {
                println!("# {}\n    want: {plugin}", case.name);
                if plugin != gatehouse {
                    println!("    # gatehouse: {gatehouse}");
                }
            }
        }
    }
}
