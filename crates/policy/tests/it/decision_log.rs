//! From decisions to a collector, whatever that does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use policy::decision_log::event::{Decision, Origin};
use policy::decision_log::{Delays, Logger, Loss, Observer, Settings, Store, Uploader};
use policy::opa::{Loaded, Outcome, Plugin, PluginOptions, Record};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::collector::{Collector, Mood};

/// Small enough that some events fill it.
const LIMIT: usize = 1_500;

#[derive(Default)]
struct Counts {
    logged: AtomicU64,
    lost: [AtomicU64; Loss::ALL.len()],
    failed: AtomicU64,
    pending: AtomicU64,
}

impl Observer for Counts {
    fn logged(&self) {
        self.logged.fetch_add(1, Ordering::SeqCst);
    }

    fn lost(&self, loss: Loss, events: u64) {
        self.lost[loss as usize].fetch_add(events, Ordering::SeqCst);
    }

    fn cache_dropped(&self, _: u64) {}

    fn uploaded(&self, acknowledged: bool) {
        self.failed.fetch_add(u64::from(!acknowledged), Ordering::SeqCst);
    }

    fn pending(&self, bytes: u64) {
        self.pending.store(bytes, Ordering::SeqCst);
    }
}

impl Counts {
    fn lost(&self, loss: Loss) -> u64 {
        self.lost[loss as usize].load(Ordering::SeqCst)
    }

    fn lost_in_all(&self) -> u64 {
        self.lost.iter().map(|lost| lost.load(Ordering::SeqCst)).sum()
    }
}

/// A log as the program sets it up, with shorter delays.
struct Log {
    plugin: Plugin,
    logger: Logger,
    store: Arc<Store>,
    uploader: Arc<Uploader>,
    counts: Arc<Counts>,
    stop: CancellationToken,
}

impl Log {
    fn new(folder: &Path, url: &str, bound: u64) -> Self {
        Self::with(folder, json!({ "c": { "url": url, "response_header_timeout_seconds": 1 } }), bound, "")
    }

    fn with(folder: &Path, services: Value, bound: u64, rules: &str) -> Self {
        let config = json!({
            "services": services,
            "persistence_directory": folder,
            "decision_logs": { "reporting": { "upload_size_limit_bytes": LIMIT, "buffer_size_limit_bytes": bound } },
        });
        let settings = Settings::read(&serde_json::from_value(config).unwrap()).unwrap().unwrap();
        let upload = settings.upload.unwrap();
        let counts = Arc::new(Counts::default());
        let observer = || Arc::clone(&counts) as Arc<dyn Observer>;
        let store = Store::open(&upload.store, observer());
        let short = Delays { min: Duration::from_millis(100), max: Duration::from_millis(200) };
        let uploader = Uploader::new(upload.client, upload.path, short, Arc::clone(&store), observer());
        let mut loaded = Loaded::default();
        let policies = tempfile::tempdir().unwrap();
        std::fs::write(policies.path().join("p.rego"), format!("package system.log\n{rules}")).unwrap();
        loaded.add_path(policies.path(), false, false).unwrap();
        let path = vec!["allow".to_owned()];
        Self {
            plugin: Plugin::compile(&loaded, PluginOptions { path, ..PluginOptions::default() }).unwrap(),
            logger: Logger::new(Origin::default(), None, Some(Arc::clone(&store)), None, observer()),
            store,
            uploader: Arc::new(uploader),
            counts,
            stop: CancellationToken::new(),
        }
    }

    fn decide(&mut self, ids: std::ops::Range<u64>) {
        for id in ids {
            self.decide_on(json!({ "id": id }));
        }
        self.logger.flush();
    }

    fn decide_on(&mut self, input: Value) {
        let none = BTreeMap::new();
        let record = Record {
            // Like a UUID, it hardly compresses.
            decision_id: uuid::Uuid::new_v4().to_string(),
            outcome: Outcome::Result(json!(true).into()),
            handler: Duration::from_micros(20),
            evaluation: Duration::from_micros(10),
        };
        let at = SystemTime::now();
        let decision = Decision { record, input: Some(input), revisions: &none, at, traceparent: None };
        self.logger.log(&self.plugin, decision);
    }

    fn upload(&self) {
        let (uploader, stop) = (Arc::clone(&self.uploader), self.stop.clone());
        tokio::spawn(async move { uploader.run(stop).await });
    }

    async fn round(&self) -> Result<(), String> {
        self.uploader.round(&self.stop).await.map_err(|error| error.to_string())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn all(ids: std::ops::Range<u64>) -> Vec<u64> {
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_arrives_in_chunks_within_the_limit() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut log = Log::new(folder.path(), &collector.url(), 1 << 20);
    log.upload();
    log.decide(0..400);
    collector.until("all arrive", |c| c.ids().len() == 400).await;
    assert_eq!(collector.ids(), all(0..400));
    let taken = collector.taken();
    assert!(taken.len() > 10, "{}", taken.len());
    for upload in &taken {
        assert!(upload.bytes <= LIMIT, "{}", upload.bytes);
        assert_eq!(upload.path, "/base/logs");
        assert_eq!(upload.headers["content-type"], "application/json");
        assert_eq!(upload.headers["content-encoding"], "gzip");
    }
    assert_eq!((log.counts.lost_in_all(), log.counts.failed.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(log.counts.logged.load(Ordering::SeqCst), 400);
    assert_eq!(log.counts.pending.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_for_a_while_misses_nothing() {
    let (folder, port) = (tempfile::tempdir().unwrap(), Collector::nowhere().await);
    let mut log = Log::new(folder.path(), &format!("http://127.0.0.1:{port}/base"), 1 << 20);
    log.upload();
    log.decide(0..100);
    while log.counts.failed.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    log.decide(100..150);
    let collector = Collector::on(port, Mood::Takes).await;
    collector.until("all arrive", |c| c.ids().len() == 150).await;
    assert_eq!(collector.ids(), all(0..150));
    assert_eq!(log.counts.lost_in_all(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_answered_instead_of_2xx_nothing_is_lost_or_sent_twice() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut log = Log::new(folder.path(), &collector.url(), 1 << 20);
    log.decide(0..60);
    for status in [500, 503, 502, 401, 403, 404, 408, 429, 400, 413, 302] {
        collector.set(Mood::Answers(status));
        let refused = log.round().await.unwrap_err();
        assert!(refused.contains(&status.to_string()), "{refused}");
    }
    collector.set(Mood::Silent);
    assert!(log.round().await.unwrap_err().contains("no answer"));
    assert!(collector.taken().is_empty());
    collector.set(Mood::Takes);
    log.round().await.unwrap();
    assert_eq!(collector.ids(), all(0..60));
    log.round().await.unwrap();
    assert_eq!(collector.ids().len(), 60);
    assert_eq!(log.counts.lost_in_all(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_refused_does_not_hold_the_others_up() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut log = Log::new(folder.path(), &collector.url(), 1 << 20);
    log.decide(0..100);
    collector.set(Mood::Dislikes(0));
    assert!(log.round().await.unwrap_err().contains("400"));
    let without = collector.ids();
    assert!(!without.contains(&0) && without.contains(&99), "{without:?}");
    // It still waits, for a collector that can be taught.
    collector.set(Mood::Takes);
    log.round().await.unwrap();
    let mut ids = collector.ids();
    ids.sort_unstable();
    assert_eq!(ids, all(0..100));
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_bound_the_oldest_are_lost_and_counted_exactly() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut log = Log::new(folder.path(), &collector.url(), 6_000);
    log.decide(0..1_000);
    log.store.seal();
    assert!(log.counts.pending.load(Ordering::SeqCst) <= 6_000);
    log.round().await.unwrap();
    let lost = log.counts.lost(Loss::SpoolFull);
    assert!(lost > 500, "{lost}");
    assert_eq!(collector.ids(), all(lost..1_000));
    assert_eq!(log.counts.lost_in_all(), lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    collector.set(Mood::Answers(500));
    let mut log = Log::new(folder.path(), &collector.url(), 1 << 20);
    log.decide(0..70);
    log.round().await.unwrap_err();
    // These only gather when the process is gone.
    log.decide(70..75);
    drop(log);
    collector.set(Mood::Takes);
    let mut log = Log::new(folder.path(), &collector.url(), 1 << 20);
    log.decide(75..80);
    log.round().await.unwrap();
    assert_eq!(collector.ids(), all(0..80));
    assert_eq!(log.counts.lost_in_all(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_uploads_what_it_can_and_leaves_the_rest() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut log = Log::new(folder.path(), &collector.url(), 1 << 20);
    log.decide(0..5);
    log.uploader.finish(Duration::from_secs(5)).await;
    assert_eq!(collector.ids(), all(0..5));
    collector.set(Mood::Silent);
    log.decide(5..9);
    let started = std::time::Instant::now();
    log.uploader.finish(Duration::from_millis(200)).await;
    assert!(started.elapsed() < Duration::from_millis(900));
    log.store.end();
    assert_eq!(log.counts.lost_in_all(), 0);
    drop(log);
    collector.set(Mood::Takes);
    let log = Log::new(folder.path(), &collector.url(), 1 << 20);
    log.round().await.unwrap();
    assert_eq!(collector.ids(), all(0..9));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_never_leaves_and_what_is_dropped_is_not_there() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let rules = r#"
        mask contains "/input/token"
        mask contains 7 if input.input.id == 3
        drop if input.input.id == 2"#;
    let services = json!({ "c": { "url": collector.url() } });
    let mut log = Log::with(folder.path(), services, 1 << 20, rules);
    for id in 0..5 {
        log.decide_on(json!({ "id": id, "token": "s3cret" }));
    }
    log.logger.flush();
    let on_disk = std::fs::read_dir(folder.path().join("decision_logs")).unwrap();
    for file in on_disk {
        let text = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("s3cret"));
    }
    log.round().await.unwrap();
    assert_eq!(collector.ids(), [0, 1, 4]);
    let taken = collector.taken();
    assert!(!format!("{taken:?}").contains("s3cret"));
    assert_eq!(taken[0].events[0]["erased"], json!(["/input/token"]));
    assert_eq!((log.counts.lost(Loss::MaskFailed), log.counts.lost_in_all()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_headers_of_the_service_are_sent() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let token = folder.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let services = json!({ "c": { "url": collector.url(), "headers": { "x-tenant": "t" },
        "credentials": { "bearer": { "token_path": token, "scheme": "Token" } } } });
    let mut log = Log::with(folder.path(), services, 1 << 20, "");
    log.decide(0..1);
    log.round().await.unwrap();
    std::fs::write(&token, "second").unwrap();
    log.decide(1..2);
    log.round().await.unwrap();
    let taken = collector.taken();
    let header = |at: usize, name: &str| taken[at].headers[name].to_str().unwrap().to_owned();
    assert_eq!([header(0, "authorization"), header(1, "authorization")], ["Token first", "Token second"]);
    assert_eq!(header(0, "x-tenant"), "t");
}
