//! A service that takes decision logs, as it is told.

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use flate2::read::GzDecoder;
use serde_json::Value;

/// What it does with an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    /// Answers with this status and some HTML.
    Answers(u16),
    /// Never answers.
    Silent,
    /// Takes those without this event, and answers the others with 400.
    Dislikes(u64),
}

/// An upload that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: usize,
    pub(crate) events: Vec<Value>,
}

pub(crate) struct Collector {
    pub(crate) port: u16,
    shared: Arc<Mutex<Shared>>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    mood: Mood,
    asked: usize,
    taken: Vec<Upload>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::on(0, Mood::Takes).await
    }

    pub(crate) async fn on(port: u16, mood: Mood) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared { mood, asked: 0, taken: Vec::new() }));
        let app = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, shared, task }
    }

    /// An address where nobody listens.
    pub(crate) async fn nowhere() -> u16 {
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/base", self.port)
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.shared.lock().unwrap().mood = mood;
    }

    /// How many uploads were tried.
    pub(crate) fn asked(&self) -> usize {
        self.shared.lock().unwrap().asked
    }

    pub(crate) fn taken(&self) -> Vec<Upload> {
        self.shared.lock().unwrap().taken.clone()
    }

    /// The ids of all events that were taken, in their order.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.taken().iter().flat_map(|upload| ids(&upload.events)).collect()
    }

    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..500 {
            if condition(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}: asked {} times, took {:?}", self.asked(), self.ids());
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn ids(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["input"]["id"].as_u64().unwrap()).collect()
}

async fn take(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> (StatusCode, &'static str) {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let body: Bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    let events: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mood = {
        let mut shared = shared.lock().unwrap();
        shared.asked += 1;
        shared.mood
    };
    let status = match mood {
        Mood::Takes => StatusCode::OK,
        Mood::Answers(status) => StatusCode::from_u16(status).unwrap(),
        Mood::Silent => std::future::pending().await,
        Mood::Dislikes(id) if ids(&events).contains(&id) => StatusCode::BAD_REQUEST,
        Mood::Dislikes(_) => StatusCode::NO_CONTENT,
    };
    if status.is_success() {
        shared.lock().unwrap().taken.push(Upload { path, headers, bytes: body.len(), events });
    }
    (status, "<html>no JSON</html>")
}
