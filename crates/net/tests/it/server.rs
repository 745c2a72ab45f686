//! Servers that answer as they are told, each on its own port.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    sent: Arc<AtomicUsize>,
}

impl Server {
    /// The same answer to everybody, then the connection is closed.
    pub(crate) fn answering(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::start(move |mut stream, _| {
            let _gone = stream.write_all(answer.as_bytes());
        })
    }

    /// A body without an end.
    pub(crate) fn endless() -> Self {
        Self::start(|mut stream, sent| {
            let piece = [b' '; 64 * 1024];
            let mut going = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok();
            while going {
                going = stream.write_all(&piece).is_ok();
                sent.fetch_add(piece.len(), Ordering::Relaxed);
            }
        })
    }

    /// Takes the request and says nothing.
    pub(crate) fn silent() -> Self {
        Self::start(|stream, _| {
            std::thread::sleep(Duration::from_secs(5));
            drop(stream);
        })
    }

    /// One byte of the body every 50 ms.
    pub(crate) fn trickling() -> Self {
        Self::start(|mut stream, _| {
            let mut going = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").is_ok();
            while going {
                std::thread::sleep(Duration::from_millis(50));
                going = stream.write_all(b" ").is_ok();
            }
        })
    }

    /// The address of a server that is no longer there.
    pub(crate) fn gone() -> String {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        format!("http://127.0.0.1:{port}/keys")
    }

    fn start(answer: impl Fn(TcpStream, &AtomicUsize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(AtomicUsize::new(0));
        let (seen, counted, answer) = (Arc::clone(&requests), Arc::clone(&sent), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (seen, counted, answer) = (Arc::clone(&seen), Arc::clone(&counted), Arc::clone(&answer));
                std::thread::spawn(move || {
                    seen.lock().unwrap().push(request(&mut stream));
                    answer(stream, &counted);
                });
            }
        });
        Self { port, requests, sent }
    }

    pub(crate) fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn sent_bytes(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Head and body of one request.
fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let n = stream.read(&mut piece).unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&piece[..n]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if n == 0 {
                return text;
            }
            continue;
        };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if n == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}
