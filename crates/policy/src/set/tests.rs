//! Runs `tests/cases/*.yaml` on both engines, with the decision cache on and off, and policies that misbehave.

use std::fs;
use std::path::Path as FsPath;
use std::sync::Arc;

use config::{Path, Period, Problems};
use model::{Identity, OwnedRequest, Principal, Reason, RequestContext, RequestView, Scheme, Timestamp, Trace};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::build::{Options, compile};
use super::*;
use crate::config::{BundleConfig, PolicyConfig};

/// One file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    policy: String,
    #[serde(default)]
    data: Map<String, Json>,
    entry: String,
    /// The engine that must serve the entry point.
    #[serde(default)]
    engine: Option<String>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    request: OwnedRequest,
    #[serde(default)]
    principal: Option<CasePrincipal>,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    route: Json,
    want: Want,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CasePrincipal {
    subject: String,
    roles: Vec<String>,
    scopes: Vec<String>,
    attributes: Map<String, Json>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Want {
    reason: Option<String>,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    response_headers: Vec<(String, String)>,
    remove: Vec<String>,
    body: Option<String>,
    metadata: Option<Map<String, Json>>,
}

pub(crate) fn config_of(dir: &FsPath) -> PolicyConfig {
    let mut config = PolicyConfig { timeout: Period::millis(2_000), ..PolicyConfig::default() };
    config.bundles.insert("main".to_owned(), BundleConfig { path: dir.to_owned(), isolated: false });
    config
}

fn uses(rule: &str) -> Vec<EntryPointUse> {
    vec![EntryPointUse { rule: rule.to_owned(), at: Path::root().key("apis") }]
}

/// Compiles one policy; the problems as text when there are any.
fn build(
    policy: &str,
    data: &str,
    rule: &str,
    tune: impl FnOnce(&mut PolicyConfig, &mut Options),
) -> Result<PolicySet, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("policy.rego"), policy).unwrap();
    fs::write(dir.path().join("data.json"), data).unwrap();
    let mut config = config_of(dir.path());
    let mut options = Options::default();
    tune(&mut config, &mut options);
    let mut problems = Problems::new();
    let set = compile(&config, &Path::root().key("policy"), &mut problems, &uses(rule), options);
    set.ok_or_else(|| {
        let root = dir.path().display().to_string();
        let lines: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
        lines.join("\n").replace(&format!("{root}/"), "")
    })
}

fn plain(policy: &str, rule: &str) -> Result<PolicySet, String> {
    build(policy, "{}", rule, |_, _| {})
}

fn interpreted(policy: &str, rule: &str) -> Result<PolicySet, String> {
    build(policy, "{}", rule, |_, o| o.interpreter_only = true)
}

pub(crate) fn context<'a>(view: &'a dyn RequestView, now: i64) -> RequestContext<'a> {
    let http = view.http();
    let (path, query) = http.path.split_once('?').unwrap_or((http.path, ""));
    RequestContext {
        view,
        headers: view.headers().to_vec(),
        host: http.host.into(),
        path: path.into(),
        query,
        scheme: Scheme::Https,
        client_address: None,
        request_id: "r".into(),
        tenant: None,
        now: Timestamp::from_secs(now),
        deadline: None,
    }
}

fn decide_one(set: &PolicySet, request: &OwnedRequest) -> Result<PolicyAllow, Denial> {
    let view = request.view();
    let context = context(&view, 1_000);
    let route = RouteValue::new(&Json::Null);
    let input = PolicyInput { request: &context, identity: &Identity::Anonymous, route: &route, generation: 1 };
    set.evaluate(EntryPointId(0), &input, &mut Trace::start(false))
}

fn reason_of(set: &PolicySet) -> Option<Reason> {
    decide_one(set, &OwnedRequest::get("a.test", "/x")).err().map(|d| d.reason)
}

fn run_case(set: &PolicySet, case: &Case) -> Result<PolicyAllow, Denial> {
    let view = case.request.view();
    let mut context = context(&view, 1_000);
    context.tenant = case.tenant.as_deref().map(Arc::from);
    let identity = match &case.principal {
        None => Identity::Anonymous,
        Some(p) => Identity::Known(Arc::new(Principal {
            subject: p.subject.as_str().into(),
            roles: p.roles.iter().map(|r| r.as_str().into()).collect(),
            scopes: p.scopes.iter().map(|r| r.as_str().into()).collect(),
            attributes: p.attributes.clone(),
            ..Principal::default()
        })),
    };
    let route = RouteValue::new(&case.route);
    let input = PolicyInput { request: &context, identity: &identity, route: &route, generation: 1 };
    set.evaluate(EntryPointId(0), &input, &mut Trace::start(false))
}

fn check(case: &Case, got: &Result<PolicyAllow, Denial>, what: &str) {
    let name = format!("{} ({what}): {got:?}", case.name);
    let pairs = |edits: &[model::HeaderEdit]| -> Vec<(String, String)> {
        edits.iter().map(|e| (e.name.to_string(), e.value.clone())).collect()
    };
    match got {
        Ok(allow) => {
            assert_eq!(case.want.reason, None, "{name}");
            assert_eq!(pairs(&allow.changes.headers), case.want.headers, "{name}");
            assert_eq!(pairs(&allow.changes.response_headers), case.want.response_headers, "{name}");
            assert_eq!(allow.changes.headers_to_remove, case.want.remove, "{name}");
            assert_eq!(allow.metadata, case.want.metadata, "{name}");
        }
        Err(denial) => {
            assert_eq!(Some(denial.reason.as_str()), case.want.reason.as_deref(), "{name}");
            assert_eq!(denial.status, case.want.status, "{name}");
            assert_eq!(denial.headers, case.want.headers, "{name}");
            assert_eq!(denial.body, case.want.body, "{name}");
            assert_eq!(denial.metadata, case.want.metadata, "{name}");
        }
    }
}

#[test]
fn cases() {
    let folder = FsPath::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let file: CaseFile = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let data = serde_json::to_string(&file.data).unwrap();
        for interpreter_only in [false, true] {
            for cache in [false, true] {
                let set = build(&file.policy, &data, &file.entry, |c, o| {
                    c.decision_cache.enabled = cache;
                    o.interpreter_only = interpreter_only;
                })
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let served = set.engines()[0].engine.as_str();
                if let Some(engine) = file.engine.as_ref().filter(|_| !interpreter_only) {
                    assert_eq!(served, engine, "{}: {:?}", path.display(), set.engines()[0]);
                }
                let what = format!("{}, {served}, cache {cache}", path.display());
                // Each case twice: the second answer may come from the cache, and must be the same.
                for case in file.cases.iter().chain(&file.cases) {
                    check(case, &run_case(&set, case), &what);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 50, "only {count} cases ran");
}

#[test]
fn recursion_is_refused_with_the_cycle() {
    let rule = plain("package p\n\na if b\nb if c\nc if a\n", "data.p.a").unwrap_err();
    assert!(
        rule.contains("policy.rego:3: recursive rules are not allowed: data.p.a -> data.p.b -> data.p.c -> data.p.a"),
        "{rule}"
    );
    for (what, policy) in [
        ("function", "package p\nf(x) := f(x + 1)\na if f(1) == 2\n"),
        ("mutual functions", "package p\nf(x) := g(x)\ng(x) := data.p.f(x)\na if f(1) == 2\n"),
        ("function and rule", "package p\nf(x) := x if r == 1\nr := f(1)\na if r == 1\n"),
        ("package", "package p\na if data.p[\"a\"]\n"),
        ("chosen at run time", "package p\na if data.p[input.parsed_path[0]]\n"),
        ("whole data", "package p\na if data[input.parsed_path[0]].a\n"),
        ("import", "package p\nimport data.p.b as c\na if c\nb if a\n"),
        ("with", "package p\na if b with input as {}\nb if a\n"),
        ("mock", "package p\nf(x) := 1\ng(x) := h(x)\nh(x) := 1 if f(x) == 1 with f as g\na if h(1) == 1\n"),
        ("comprehension", "package p\na := [x | some x in b]\nb := {x | some x in a}\n"),
        ("else", "package p\na := 1 if { false } else := b\nb := a\n"),
        ("every", "package p\na if every x in [1] { b == x }\nb := 1 if a\n"),
        ("value", "package p\na := {\"x\": [b]}\nb := a.x\n"),
        ("key", "package p\na contains b\nb := count(a)\n"),
        ("index", "package p\na := input.x[b]\nb := a\n"),
        ("argument of a builtin", "package p\na := count(b)\nb := [a]\n"),
        ("unification", "package p\na if x = b\nb if a\n"),
        ("not", "package p\na if not b\nb if not a\n"),
    ] {
        let error = plain(policy, "data.p.a").unwrap_err();
        assert!(error.contains("recursive rules are not allowed"), "{what}: {error}");
    }
}

#[test]
fn local_names_hide_rules() {
    let policy = "package p\nuser := f({\"name\": \"x\"})\nf(user) := user.name\nlist := 1 if { item := 1; item == 1 }\nitem := list\na if user == \"x\"\n";
    plain(policy, "data.p.a").unwrap();
}

#[test]
fn long_chains_are_refused_and_allowed_ones_fit_a_small_stack() {
    let chain = |n: usize| {
        let rules: String = (0..n).map(|i| format!("f{i}(x) := f{}(x)\n", i + 1)).collect();
        format!("package p\n{rules}f{n}(x) := x\na if f0(1) == 1\n")
    };
    let error = plain(&chain(80), "data.p.a").unwrap_err();
    assert!(error.contains("calling each other"), "{error}");
    for set in [plain(&chain(60), "data.p.a").unwrap(), interpreted(&chain(60), "data.p.a").unwrap()] {
        let run = move || reason_of(&set);
        let small = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap();
        assert_eq!(small.join().unwrap(), None);
    }
}

#[test]
fn loops_end_at_their_limit() {
    let policy =
        "package p\nn := numbers.range(1, 2000)\na if count([1 | some i in n; some j in n; i * j == -1]) == 1\n";
    let quick = |c: &mut PolicyConfig| c.timeout = Period::millis(50);
    let by_time = build(policy, "{}", "data.p.a", |c, _| {
        quick(c);
        c.max_instructions = u64::MAX;
    });
    let by_count = build(policy, "{}", "data.p.a", |c, _| c.max_instructions = 10_000);
    let interpreted = build(policy, "{}", "data.p.a", |c, o| {
        quick(c);
        o.interpreter_only = true;
    });
    for set in [by_time, by_count, interpreted] {
        let set = set.unwrap();
        for _ in 0..2 {
            assert_eq!(reason_of(&set), Some(Reason::PolicyTimedOut), "{:?}", set.engines());
        }
        assert_eq!(set.stats().timeouts, 2, "a limit is not kept");
    }
}

#[test]
fn data_that_the_interpreter_would_copy_is_warned_of() {
    let many: Map<String, Json> = (0..300).map(|i| (format!("k{i}"), Json::from(i))).collect();
    let policy = "package p.q\n\nallow if f(1) with input as {}\n\nf(_) := true\n";
    let warned = |data: Json| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("p.rego"), policy).unwrap();
        fs::write(dir.path().join("data.json"), data.to_string()).unwrap();
        let mut problems = Problems::new();
        let set =
            compile(&config_of(dir.path()), &Path::root(), &mut problems, &uses("data.p.q.allow"), Options::default());
        assert!(set.is_some(), "{:?}", problems.iter().collect::<Vec<_>>());
        problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>()
    };
    assert!(warned(serde_json::json!({ "users": many })).is_empty());
    assert!(warned(Json::Object(many.clone()))[0].starts_with("data has 300 entries"));
    assert!(warned(serde_json::json!({ "p": many }))[0].starts_with("data.p has 300 entries"));
}

#[test]
fn limits_inside_builtins_deny_whatever_the_policy_makes_of_them() {
    for body in [
        "not numbers.range(1, 1000000000)",
        "not net.cidr_expand(\"10.0.0.0/8\")",
        "not numbers.range_step(1, 1000000000, 2)",
        "not replace(concat(\"\", [x | some i in numbers.range(1, 9000); x := \"aaaaaaaaaa\"]), \"a\", concat(\"\", [x | some i in numbers.range(1, 9000); x := \"bbbbbbbbb\"]))",
    ] {
        let policy = format!("package p\na if {body}\n");
        for set in [plain(&policy, "data.p.a").unwrap(), interpreted(&policy, "data.p.a").unwrap()] {
            assert_eq!(reason_of(&set), Some(Reason::PolicyTimedOut), "{body} {:?}", set.engines());
        }
    }
}

#[test]
fn panics_are_denials_and_the_next_request_is_served() {
    fn boom(
        _: &regorus::unstable::Span,
        _: &[regorus::unstable::Ref<regorus::unstable::Expr>],
        _: &[regorus::Value],
        _: bool,
    ) -> anyhow::Result<regorus::Value> {
        panic!("boom")
    }
    let policy = "package p\na if lower(input.attributes.request.http.method) == \"get\"\n";
    let mut set = plain(policy, "data.p.a").unwrap();
    let Compiled::Rvm { program, .. } = &mut set.entries[0].compiled else { panic!("not the register machine") };
    let sound = Arc::clone(program);
    let mut broken = sound.as_ref().clone();
    broken.resolved_builtins[0].0 = boom;
    *program = Arc::new(broken);
    for _ in 0..2 {
        assert_eq!(reason_of(&set), Some(Reason::PolicyPanicked));
    }
    assert_eq!((set.stats().panics, set.stats().cache_hits), (2, 0), "a panic is not kept");
    // The machine that panicked is gone: the next one is made from what is there now.
    if let Compiled::Rvm { program, .. } = &mut set.entries[0].compiled {
        *program = sound;
    }
    assert_eq!(reason_of(&set), None);
    // These builtins panic in the engine itself; ours do not.
    for body in [
        "strings.count(input.attributes.request.http.path, \"\") == 3",
        "object.subset([1], [])",
        "not time.parse_ns(\"2006-01-02\", \"ü006-01-02\")",
    ] {
        let policy = format!("package p\na if {body}\n");
        for set in [plain(&policy, "data.p.a").unwrap(), interpreted(&policy, "data.p.a").unwrap()] {
            assert_eq!(reason_of(&set), None, "{body} {:?}", set.engines());
        }
    }
}

#[test]
fn mistakes_are_reported_with_file_and_line() {
    let error = plain("package p\n\na if {\n  input.x ==\n}\n", "data.p.a").unwrap_err();
    assert!(error.starts_with("policy.bundles.main.path: policy.rego:5: "), "{error}");
    let error = plain("package p\na if made.up({})\nb if no.such(1)\n", "data.p.a").unwrap_err();
    assert!(error.contains("policy.rego:2: unknown function `made.up`"), "{error}");
    assert!(error.contains("policy.rego:3: unknown function `no.such`"), "{error}");
    let error = plain("package p\na := 1\n", "data.p.b").unwrap_err();
    assert_eq!(error, "apis: no policy defines data.p.b");
    let error = plain("package p\na := 1\n", "p.a").unwrap_err();
    assert!(error.contains("write it as data.package.rule"), "{error}");
    let error = build("package p\na := 1\n", "[1]", "data.p.a", |_, _| {}).unwrap_err();
    assert!(error.contains("data.json: the top of a data file must be an object"), "{error}");
    let deep = format!("package p\na := {}1{}\n", "[".repeat(30), "]".repeat(30));
    assert!(plain(&deep, "data.p.a").unwrap_err().contains("policy.rego:2: brackets are nested deeper"));
    let error = build("package p\na := 1\n", "{}", "data.p.a", |c, _| {
        c.timeout = Period::millis(0);
        c.decision_cache.max_age = Period::secs(301);
        c.bundles.insert("gone".to_owned(), BundleConfig { path: "no/such/folder".into(), isolated: false });
    })
    .unwrap_err();
    for part in ["policy.timeout: ", "policy.decision_cache.max_age: ", "policy.bundles.gone.path: cannot read folder"]
    {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn what_is_kept_depends_on_what_is_read() {
    let set = plain("package p\na if input.attributes.request.http.method == \"GET\"\n", "data.p.a").unwrap();
    assert_eq!(set.engines()[0].input_paths, ["input.attributes.request.http.method"]);
    for path in ["/1", "/2", "/3"] {
        decide_one(&set, &OwnedRequest::get("a.test", path)).unwrap();
    }
    assert!(decide_one(&set, &OwnedRequest::get("a.test", "/").with_method("PUT")).is_err());
    let stats = set.stats();
    assert_eq!((stats.evaluations, stats.cache_hits, stats.cache_misses), (2, 2, 2));

    let impure = plain("package p\na if time.now_ns() > 0\n", "data.p.a").unwrap();
    assert_eq!(impure.engines()[0].uncacheable.as_deref(), Some("it can call `time.now_ns`"));
    let hidden = plain("package p\ntime := {\"x\": 1}\na if time.now_ns() > 0\n", "data.p.a").unwrap();
    assert!(hidden.engines()[0].uncacheable.is_some());
    let everything = plain("package p\na if input[\"version\"]\nb if input[x].y\n", "data.p.b").unwrap();
    assert_eq!(everything.engines()[0].input_paths, ["input"]);
}

#[test]
fn kept_decisions_know_generation_tenant_and_age() {
    let set = plain("package p\na := true\n", "data.p.a").unwrap();
    let request = OwnedRequest::get("a.test", "/");
    let view = request.view();
    let route = RouteValue::new(&Json::Null);
    let ask = |generation: u64, tenant: Option<&str>, now: i64| {
        let mut context = context(&view, now);
        context.tenant = tenant.map(Arc::from);
        let input = PolicyInput { request: &context, identity: &Identity::Anonymous, route: &route, generation };
        set.evaluate(EntryPointId(0), &input, &mut Trace::start(false)).unwrap().cached
    };
    assert!(!ask(1, None, 1_000));
    assert!(ask(1, None, 1_060));
    assert!(!ask(1, None, 1_061), "older than a minute");
    assert!(!ask(1, Some(""), 1_061), "an empty tenant is not a missing one");
    assert!(!ask(2, None, 1_061), "another generation");
    assert!(!ask(1, Some("acme"), 1_061));
    assert!(ask(1, Some("acme"), 1_061));
    assert!(!ask(1, Some("acme"), 1_000), "the clock went back");
}

#[test]
fn turning_the_cache_off_changes_no_answer() {
    let policy = "package p\nimport input.attributes.request.http as http\na := {\"allowed\": count(http.headers) > 1, \"headers\": {\"x-n\": sprintf(\"%v %v\", [http.headers, input.principal])}} if not http.headers.z\n";
    let cached = plain(policy, "data.p.a").unwrap();
    let fresh = build(policy, "{}", "data.p.a", |c, _| c.decision_cache.enabled = false).unwrap();
    let strategy = proptest::collection::vec(("[a-cz]", "[,ab]{0,2}"), 0..4);
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&strategy, |headers| {
            let request = OwnedRequest { headers, ..OwnedRequest::get("a.test", "/") };
            let case = Case {
                name: String::new(),
                request,
                principal: None,
                tenant: None,
                route: Json::Null,
                want: Want::default(),
            };
            let strip = |r: Result<PolicyAllow, Denial>| r.map(|a| PolicyAllow { cached: false, ..a });
            assert_eq!(strip(run_case(&cached, &case)), strip(run_case(&fresh, &case)));
            Ok(())
        })
        .unwrap();
    assert!(cached.stats().cache_hits > 10);
    assert_eq!(fresh.stats().cache_hits + fresh.stats().cache_misses, 0);
}

#[test]
fn a_passed_deadline_is_a_denial() {
    let set = plain("package p\na if time.now_ns() > 0\n", "data.p.a").unwrap();
    let request = OwnedRequest::get("a.test", "/");
    let view = request.view();
    let mut context = context(&view, 1);
    context.deadline = Some(Instant::now());
    let route = RouteValue::new(&Json::Null);
    let input = PolicyInput { request: &context, identity: &Identity::Anonymous, route: &route, generation: 1 };
    let denial = set.evaluate(EntryPointId(0), &input, &mut Trace::start(false)).unwrap_err();
    assert_eq!(denial.reason, Reason::DeadlineExceeded);
}

#[test]
fn data_is_mounted_at_its_folder_and_conflicts_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("p/a.rego", "package p\na if data.teams.red.size == 3\n");
    write("p/a_test.rego", "package p\ntest_a if not.valid rego at all\n");
    write(".hidden/b.rego", "nonsense");
    write("teams/red/data.yaml", "size: 3\n");
    let compiled = |problems: &mut Problems| {
        compile(&config_of(dir.path()), &Path::root(), problems, &uses("data.p.a"), Options::default())
    };
    assert_eq!(reason_of(&compiled(&mut Problems::new()).unwrap()), None);
    write("teams/data.json", "{\"red\": {\"size\": 4}}");
    let mut problems = Problems::new();
    assert!(compiled(&mut problems).is_none());
    assert!(problems.iter().next().unwrap().message.contains("conflicts with another data file"), "{problems:?}");
    fs::remove_file(dir.path().join("teams/data.json")).unwrap();
    write("p/data.json", "{\"a\": false}");
    let mut problems = Problems::new();
    assert!(compiled(&mut problems).is_none(), "data must not stand in for a rule");
    assert!(
        problems.iter().any(|p| p.message.contains("data.p.a is defined by a rule and by a data file")),
        "{problems:?}"
    );
}

/// Forms in which the register machine says something else than OPA, some of them yes where OPA says no.
#[test]
fn what_the_register_machine_answers_otherwise_goes_to_the_interpreter() {
    for (what, policy) in [
        ("pairs in a set", "package p\na if \"x\", \"x\" in {\"x\"}\n"),
        ("the last of several values", "package p\na := {\"allowed\": x} if some x in [false, true]\n"),
        ("not in a comprehension", "package p\nf(_) := true\na if count([x | x := 1; not f(input.missing)]) == 0\n"),
        ("not in every", "package p\nf(_) := true\na if { every x in [1] { x > 0; not f(input.missing) } }\n"),
        ("an empty package", "package p\na if count(data.other) == 0\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("p.rego"), policy).unwrap();
        fs::write(dir.path().join("other.rego"), "package other\n").unwrap();
        let mut problems = Problems::new();
        let options = Options::default();
        let set = compile(&config_of(dir.path()), &Path::root(), &mut problems, &uses("data.p.a"), options);
        let set = set.unwrap_or_else(|| panic!("{what}: {:?}", problems.iter().collect::<Vec<_>>()));
        assert_eq!(set.engines()[0].engine, EngineKind::Interpreter, "{what}");
    }
}

#[test]
fn what_the_register_machine_would_take_for_undefined_fails_as_in_opa() {
    for (what, policy) in [
        ("rule", "package p\nr := true if input.version\nr := false if input.version\na if not r\n"),
        ("function", "package p\nf(x) := true if x == 1\nf(x) := false if x > 0\na if not f(1)\n"),
        ("object comprehension", "package p\na if {k: v | some v in [1, 2]; k := \"x\"}[\"x\"] == 2\n"),
        ("object rule", "package p\no[k] := v if { some v in [1, 2]; k := \"x\" }\na if o.x == 2\n"),
        ("one definition", "package p\nv := x if { some x in [true, false] }\na if not v\n"),
        ("one definition by index", "package p\nv := [true, false][_]\na if not v\n"),
        ("one function", "package p\nf(y) := x if { some x in [true, false] }\na if not f(1)\n"),
        ("default", "package p\ndefault a := true\na := true if input.version\na := false if input.version\n"),
    ] {
        let set = plain(policy, "data.p.a").unwrap();
        assert_eq!(reason_of(&set), Some(Reason::PolicyFailed), "{what}: {:?}", set.engines()[0]);
    }
    let chain = "package p\nr := 1 if { input.x } else := 2 if { input.version } else := 3\na if r == 2\n";
    let set = plain(chain, "data.p.a").unwrap();
    assert_eq!((reason_of(&set), set.engines()[0].engine), (None, EngineKind::Rvm), "branches exclude each other");
}

#[test]
fn a_reload_leaves_nothing_of_the_old_set_in_use() {
    let first = plain("package p\na := true\n", "data.p.a").unwrap();
    let second = plain("package p\na := false\n", "data.p.a").unwrap();
    for _ in 0..3 {
        assert_eq!(reason_of(&first), None);
        assert_eq!(reason_of(&second), Some(Reason::PolicyDenied));
    }
    drop(first);
    let third = plain("package p\na if input.version == 1\n", "data.p.a").unwrap();
    assert_eq!(reason_of(&third), Some(Reason::PolicyUndefined));
    assert_eq!(reason_of(&second), Some(Reason::PolicyDenied));
}

#[test]
fn many_threads_get_the_same_answers() {
    let set = plain("package p\na if startswith(input.attributes.request.http.path, \"/ok\")\n", "data.p.a").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..200 {
                    let path = if n % 2 == 0 { format!("/ok/{n}") } else { format!("/no/{n}") };
                    assert_eq!(decide_one(&set, &OwnedRequest::get("a.test", &path)).is_ok(), n % 2 == 0);
                }
            });
        }
    });
    assert_eq!(set.stats().evaluations, 800);
}
