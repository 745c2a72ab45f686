//! Sends requests, within what the configuration allows.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;
use net::{Client, ClientConfig, Send};
use parking_lot::Mutex;
use regorus::Value;
use url::Url;

use super::cache::{AnswerCache, Found};
use super::config::HttpSendConfig;
use super::request::{Request, Tls};
use super::response::{Response, failed};

/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 10;
/// The first wait before another attempt; it doubles.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Clients with certificates of their own that are kept.
const MAX_CLIENTS: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// Sends what policies ask for. Shared by all policy sets.
pub struct HttpSender {
    config: HttpSendConfig,
    clients: Mutex<LruCache<Tls, Client>>,
    cache: Mutex<AnswerCache>,
}

impl std::fmt::Debug for HttpSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSender").field("config", &self.config).finish_non_exhaustive()
    }
}

impl HttpSender {
    /// `None` when no host may be asked: then `http.send` is off.
    pub fn new(config: &HttpSendConfig) -> Option<Arc<Self>> {
        if config.hosts.is_empty() {
            return None;
        }
        let cache = Mutex::new(AnswerCache::new(config.cache.bytes()));
        Some(Arc::new(Self { config: config.clone(), clients: Mutex::new(LruCache::new(MAX_CLIENTS)), cache }))
    }

    /// The value of a call, or why it has none.
    pub(crate) async fn answer(&self, request: &Request, deadline: Option<Instant>) -> Result<Value, String> {
        match self.response(request, deadline).await {
            Ok(response) => response.value(request),
            Err(message) if request.raise_error => Err(message),
            Err(message) => Ok(failed(&message)),
        }
    }

    async fn response(&self, request: &Request, deadline: Option<Instant>) -> Result<Arc<Response>, String> {
        let conditions = match self.cache.lock().find(request) {
            Found::Fresh(response) => return Ok(response),
            Found::Stale(conditions) => conditions,
            Found::Nothing => Vec::new(),
        };
        let longest = request.timeout.unwrap_or(self.config.timeout.0).min(self.config.timeout.0);
        let mut until = Instant::now() + longest;
        if let Some(deadline) = deadline {
            until = until.min(deadline);
        }
        let mut wait = FIRST_RETRY;
        let mut attempt = 0;
        loop {
            match self.follow(request, &conditions, until).await {
                Ok(response) => return Ok(self.cache.lock().keep(request, response)),
                Err(Fault::Refused(message)) => return Err(message),
                Err(Fault::Failed(message)) if attempt >= request.retries || Instant::now() + wait >= until => {
                    return Err(message);
                }
                Err(Fault::Failed(_)) => {
                    tokio::time::sleep(wait).await;
                    (attempt, wait) = (attempt + 1, wait * 2);
                }
            }
        }
    }

    async fn follow(
        &self,
        request: &Request,
        conditions: &[(String, String)],
        until: Instant,
    ) -> Result<Response, Fault> {
        let client = self.client(&request.tls).map_err(Fault::Refused)?;
        let mut url = Url::parse(&request.url).map_err(|error| Fault::Refused(format!("url: {error}")))?;
        let mut headers: Vec<(String, String)> = request.headers.iter().chain(conditions).cloned().collect();
        let (mut method, mut body) =
            (request.method.clone(), Some(request.body.clone()).filter(|body| !body.is_empty()));
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let left = until.saturating_duration_since(Instant::now());
            let send = Send {
                method: &method,
                address: url.as_str(),
                plaintext: self.config.plaintext,
                headers: &headers,
                body: body.clone(),
                max_bytes: self.config.max_response.bytes(),
                first_byte: left,
                timeout: left,
            };
            let answer = client.send(send).await.map_err(|error| Fault::Failed(error.to_string()))?;
            let moved =
                matches!(answer.status, 301 | 302 | 303 | 307 | 308).then(|| answer.header("location")).flatten();
            let (true, Some(location)) = (request.redirects, moved) else {
                let headers = answer.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                return Ok(Response { status: answer.status, headers, body: answer.body });
            };
            let next = url.join(location).map_err(|error| Fault::Refused(format!("location: {error}")))?;
            if next.origin() != url.origin() {
                // What was meant for one server is not told another.
                headers.retain(|(name, _)| !matches!(name.to_ascii_lowercase().as_str(), "authorization" | "cookie"));
            }
            if matches!(answer.status, 301..=303) && method != "HEAD" {
                "GET".clone_into(&mut method);
                body = None;
            }
            url = next;
        }
        Err(Fault::Refused(format!("more than {MAX_REDIRECTS} redirects")))
    }

    fn check(&self, url: &Url) -> Result<(), Fault> {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0));
        if self.config.allows(host, port) {
            return Ok(());
        }
        Err(Fault::Refused(format!("{host}:{port} is not among the hosts that policies may ask")))
    }

    fn client(&self, tls: &Tls) -> Result<Client, String> {
        if let Some(client) = self.clients.lock().get(tls) {
            return Ok(client.clone());
        }
        let identity = tls.certificate.clone().zip(tls.private_key.clone());
        let config =
            ClientConfig { ca_pem: tls.authorities.clone(), identity_pem: identity, ..ClientConfig::default() };
        let client = Client::new(config).map_err(|error| format!("tls: {error}"))?;
        self.clients.lock().put(tls.clone(), client.clone());
        Ok(client)
    }
}

/// Why there is no answer.
enum Fault {
    /// It may not be asked, or not so.
    Refused(String),
    /// Another attempt may work.
    Failed(String),
}
