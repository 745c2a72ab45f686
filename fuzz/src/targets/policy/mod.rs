//! Policies: sources of anybody, compiled and asked.
//!
//! An input is a source of Rego, of version 0 when its first line is `# v0`. Behind a line `=== request` may stand a request in the
//! form of target `policy_input`. An input that starts with byte 1 chooses sentences of a grammar instead: mutations of it are nearly
//! always policies that compile.
//!
//! Panics inside the engine are contained: they are answers like others. They are told once, on the error output; panics elsewhere
//! break a promise.

mod contained;
mod grammar;
mod memory;

use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use gateway::wire::{CheckIndex, Scratch, encode_plugin_reply};
use parking_lot::Mutex;
use policy::bundle::Bundle;
use policy::opa::{Loaded, Plugin, PluginOptions};
use prost::Message as _;
use serde_json::json;
use tokio::runtime::Runtime;

use super::policy_input::{attributes, everywhere, runtime};

/// Whatever a policy is, it is compiled or refused with words, and asked it answers, in time.
pub(super) fn run(bytes: &[u8]) {
    contained::in_the_engine();
    let (source, request) = match bytes {
        [1, choices @ ..] => (grammar::module(choices), &b"GET\n/a/b?x=1\nx-a: 1"[..]),
        _ => {
            let at = bytes.windows(REQUEST.len()).position(|window| window == REQUEST);
            let (source, request) = at.map_or((bytes, &b""[..]), |at| (&bytes[..at], &bytes[at + REQUEST.len()..]));
            let Ok(source) = std::str::from_utf8(source) else { return };
            (source.to_owned(), request)
        }
    };
    let message = CheckRequest { attributes: Some(attributes(request)) }.encode_to_vec();
    WORKER.try_on(Job { source, message });
    memory::stays();
}

const REQUEST: &[u8] = b"\n=== request\n";
/// What an evaluation may take; and how late it may notice.
const DEADLINE: Duration = Duration::from_millis(200);
const LATEST: Duration = Duration::from_secs(4);

struct Job {
    source: String,
    message: Vec<u8>,
}

impl Job {
    fn run(self, runtime: &Runtime) {
        let is_v0 = self.source.starts_with("# v0\n");
        let policies = vec![("p.rego".to_owned(), self.source.clone(), is_v0)];
        let mut loaded = Loaded::default();
        loaded.add_bundle("b", &Bundle { policies, data: json!({ "d": { "n": [1, 2], "s": "x" } }), ..everywhere() });
        let options = PluginOptions { path: vec!["p".to_owned(), "allow".to_owned()], ..PluginOptions::default() };
        let plugin = match Plugin::compile(&loaded, options) {
            Ok(plugin) => plugin,
            Err(problems) => {
                assert!(problems.iter().all(|problem| !problem.is_empty()) && !problems.is_empty());
                return;
            }
        };
        let scratch = Scratch::default();
        let index = CheckIndex::parse(&self.message, &scratch).expect("a message that was encoded here");
        // The second time by the same machine.
        for _ in 0..2 {
            let started = Instant::now();
            let (reply, record) = runtime.block_on(plugin.check(&index, started + DEADLINE));
            let took = started.elapsed();
            assert!(took < LATEST, "took {took:?}: {}\n{:?}", self.source, record.outcome);
            // Not strict: an answer that is not fit for the wire is refused there.
            drop(encode_plugin_reply(&reply));
        }
    }
}

/// One thread for all inputs, with the stack of those that decide on requests: what a thread keeps for policies has to go.
static WORKER: LazyLock<Worker> = LazyLock::new(|| {
    let (send, jobs) = sync_channel::<Job>(1);
    let (done, receive) = sync_channel::<()>(1);
    let work = move || {
        let runtime = runtime();
        for job in jobs {
            job.run(&runtime);
            if done.send(()).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("decides".to_owned()).stack_size(2 << 20);
    thread.spawn(work).expect("a thread");
    Worker(Mutex::new((send, receive)))
});

struct Worker(Mutex<(SyncSender<Job>, Receiver<()>)>);

impl Worker {
    fn try_on(&self, job: Job) {
        let channels = self.0.lock();
        let source = job.source.clone();
        let ended = channels.0.send(job).is_ok() && channels.1.recv().is_ok();
        assert!(ended, "a panic outside of the engine, with\n{source}");
    }
}
