use std::fs;
use std::path::{Path as FilePath, PathBuf};

use config::{Path, Problems};
use model::Timestamp;
use ratelimit::{
    MemoryStore, Override, RateLimitConfig, RateLimits, ResponseHeadersConfig, RlsDescriptor, RlsRequest, RlsResponse,
    RlsStatus, should_rate_limit,
};
use serde::Deserialize;

/// One file of cases. Either the descriptors are refused, with `error`, or they are asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Descriptor files, in the form of envoyproxy/ratelimit.
    files: Vec<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    response_headers: bool,
    #[serde(default)]
    steps: Vec<Step>,
}

/// One `ShouldRateLimit`, `times` over; the last answer counts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Seconds since the epoch.
    #[serde(default)]
    at: i64,
    #[serde(default = "domain")]
    domain: String,
    /// Descriptors, each `key=value,key=value`, with ` !n` for `hits_addend`, ` -` for negative hits and ` @n/unit` for an override.
    ask: Vec<String>,
    #[serde(default)]
    hits: u32,
    #[serde(default = "once")]
    times: usize,
    /// The overall code, where it is not that of the statuses.
    #[serde(default)]
    passes: Option<bool>,
    /// Statuses, each `ok` or `over`, then `limit/unit name remaining=n reset=n` where there is a limit; or an error.
    answer: Answer,
    #[serde(default)]
    headers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Statuses(Vec<String>),
    Error(String),
}

fn domain() -> String {
    "d".to_owned()
}

const fn once() -> usize {
    1
}

#[test]
fn descriptors_are_answered_as_the_cases_say() {
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/rls");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut ran, mut wrong) = (0, Vec::new());
    for file in files {
        let cases: Vec<Case> = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for case in cases {
            ran += 1;
            let name = format!("{}: {}", file.file_name().unwrap().display(), case.name);
            wrong.extend(run(&case).into_iter().map(|message| format!("{name}: {message}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran > 30, "only {ran} cases were found");
}

fn run(case: &Case) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (number, text) in case.files.iter().enumerate() {
        fs::write(folder.path().join(format!("{number}.yaml")), text).unwrap();
    }
    let config = RateLimitConfig {
        descriptors: Some(folder.path().to_owned()),
        response_headers: ResponseHeadersConfig { enabled: case.response_headers, ..ResponseHeadersConfig::default() },
        ..RateLimitConfig::default()
    };
    let mut problems = Problems::new();
    let limits = config.compile(&Path::root(), &mut problems);
    let errors: Vec<String> = problems.iter().filter(|p| !p.warning).map(|p| p.message.clone()).collect();
    match &case.error {
        Some(want) if errors.iter().any(|said| said.ends_with(&format!(".yaml: {want}"))) => return Vec::new(),
        Some(want) => return vec![format!("wanted `{want}`, said {errors:?}")],
        None if !errors.is_empty() => return errors,
        None => {}
    }
    let store = MemoryStore::new(1000);
    let steps = case.steps.iter().enumerate();
    steps.filter_map(|(number, step)| ask(step, &limits, &store).map(|said| format!("step {number}: {said}"))).collect()
}

/// What is wrong with the answer to a step.
fn ask(step: &Step, limits: &RateLimits, store: &MemoryStore) -> Option<String> {
    let request = RlsRequest {
        domain: &step.domain,
        descriptors: step.ask.iter().map(|text| descriptor(text)).collect(),
        hits_addend: step.hits,
    };
    let now = Timestamp::from_secs(step.at);
    let answer = (0..step.times).map(|_| should_rate_limit(limits, store, &request, now)).last().unwrap();
    let (said, headers) = match &answer {
        Err(error) => (vec![error.to_string()], Vec::new()),
        Ok(answer) => (
            shown(answer, step.passes.is_none()),
            answer.response_headers.iter().map(|(n, v)| format!("{n}: {v}")).collect(),
        ),
    };
    if let (Some(passes), Ok(answer)) = (step.passes, &answer)
        && passes == answer.over_limit
    {
        return Some(format!("over_limit is {}", answer.over_limit));
    }
    let want = match &step.answer {
        Answer::Statuses(statuses) => statuses.clone(),
        Answer::Error(error) => vec![error.clone()],
    };
    if said != want {
        return Some(format!("wanted {want:?}, said {said:?}"));
    }
    (headers != step.headers).then(|| format!("wanted headers {:?}, said {headers:?}", step.headers))
}

fn shown(answer: &RlsResponse, any_is_enough: bool) -> Vec<String> {
    assert!(!any_is_enough || answer.over_limit == answer.statuses.iter().any(|status| status.over));
    answer.statuses.iter().map(status).collect()
}

fn status(status: &RlsStatus) -> String {
    let mut text = if status.over { "over" } else { "ok" }.to_owned();
    if let Some(limit) = &status.current_limit {
        text += &format!(" {}/{}", limit.requests_per_unit, limit.unit.name());
        text.extend(limit.name.iter().map(|name| format!(" {name}")));
        text += &format!(" remaining={}", status.remaining);
        text.extend(status.reset_after.iter().map(|time| format!(" reset={}", time.as_secs())));
    } else if status.remaining > 0 {
        text += &format!(" remaining={}", status.remaining);
    }
    text
}

fn descriptor(text: &str) -> RlsDescriptor<'_> {
    let mut words = text.split(' ');
    let entries = words.next().unwrap_or_default().split(',').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut descriptor = RlsDescriptor { entries: entries.collect(), ..RlsDescriptor::default() };
    for word in words {
        if word == "-" {
            descriptor.is_negative_hits = true;
        } else if let Some(hits) = word.strip_prefix('!') {
            descriptor.hits_addend = Some(hits.parse().unwrap());
        } else if let Some((requests, unit)) = word.strip_prefix('@').and_then(|limit| limit.split_once('/')) {
            let requests_per_unit = requests.parse().unwrap();
            descriptor.limit = Some(Override { requests_per_unit, unit: unit.parse().unwrap() });
        } else {
            panic!("`{word}` is no part of a descriptor");
        }
    }
    descriptor
}
