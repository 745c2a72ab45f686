//! Answers that may be given again.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use lru::LruCache;

use super::request::Request;
use super::response::Response;

/// Answers by request, the least used ones leave first.
pub(super) struct AnswerCache {
    entries: LruCache<String, Entry>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Clone)]
struct Entry {
    response: Arc<Response>,
    until: Until,
    bytes: usize,
}

#[derive(Clone)]
enum Until {
    /// As the policy forces it.
    Forced(Instant),
    /// As the answer says (RFC 9111).
    Said(Box<CachePolicy>),
}

/// What there is for a request.
pub(super) enum Found {
    Fresh(Arc<Response>),
    /// Ask whether it is still current, with these headers.
    Stale(Vec<(String, String)>),
    Nothing,
}

impl AnswerCache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, max_bytes }
    }

    pub(super) fn find(&mut self, request: &Request) -> Found {
        if !request.cache && request.force_cache.is_none() {
            return Found::Nothing;
        }
        let Some(entry) = self.entries.get(&request.key) else { return Found::Nothing };
        match &entry.until {
            Until::Forced(until) if Instant::now() < *until => Found::Fresh(Arc::clone(&entry.response)),
            Until::Forced(_) => Found::Nothing,
            Until::Said(policy) => match head(request).map(|head| policy.before_request(&head, SystemTime::now())) {
                Some(BeforeRequest::Fresh(_)) => Found::Fresh(Arc::clone(&entry.response)),
                Some(BeforeRequest::Stale { request, .. }) => {
                    let conditions = ["if-none-match", "if-modified-since"].into_iter().filter_map(|name| {
                        Some((name.to_owned(), request.headers.get(name)?.to_str().ok()?.to_owned()))
                    });
                    Found::Stale(conditions.collect())
                }
                None => Found::Nothing,
            },
        }
    }

    /// Keeps an answer if it may be. A 304 gives the kept answer again, for longer.
    pub(super) fn keep(&mut self, request: &Request, response: Response) -> Arc<Response> {
        if response.status == 304
            && let Some(kept) = self.entries.get(&request.key).map(|entry| Arc::clone(&entry.response))
        {
            self.insert(request, Arc::clone(&kept));
            return kept;
        }
        let response = Arc::new(response);
        self.insert(request, Arc::clone(&response));
        response
    }

    fn insert(&mut self, request: &Request, response: Arc<Response>) {
        let until = match request.force_cache {
            Some(duration) => Some(Until::Forced(Instant::now() + duration.min(LONGEST))),
            None if request.cache => said(request, &response),
            None => None,
        };
        let Some(until) = until.filter(|_| CACHEABLE.contains(&response.status)) else { return };
        let bytes = request.key.len() + response.body.len() + 1_024;
        if bytes > self.max_bytes / 4 {
            return;
        }
        self.bytes += bytes;
        if let Some(old) = self.entries.put(request.key.clone(), Entry { response, until, bytes }) {
            self.bytes = self.bytes.saturating_sub(old.bytes);
        }
        while self.bytes > self.max_bytes
            && let Some((_, least)) = self.entries.pop_lru()
        {
            self.bytes = self.bytes.saturating_sub(least.bytes);
        }
    }
}

/// Statuses that OPA keeps.
const CACHEABLE: [u16; 11] = [200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501];
/// The longest that a policy may force an answer to be kept.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

fn said(request: &Request, response: &Response) -> Option<Until> {
    let mut builder = http::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    let answer = builder.body(()).ok()?;
    let policy = CachePolicy::new_options(
        &head(request)?,
        &answer,
        SystemTime::now(),
        CacheOptions { shared: false, ..CacheOptions::default() },
    );
    policy.is_storable().then(|| Until::Said(Box::new(policy)))
}

fn head(request: &Request) -> Option<http::Request<()>> {
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(&request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    builder.body(()).ok()
}
