//! One connection: TLS, HTTP/2, its age and its end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::accept::Accepted;
use super::preface::Prefaced;
use super::socket::Stream;
use super::tls::LiveTls;
use crate::decide::Decide;
use crate::services::{Offer, Shared};

/// What a connection needs to answer requests.
pub(crate) struct Connection<D> {
    pub(crate) shared: Arc<Shared<D>>,
    pub(crate) offer: Arc<Offer>,
}

/// Runs the tasks of a connection on the thread that runs the connection.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        // As it is: an async block around it would hold it twice.
        tokio::task::spawn_local(future);
    }
}

impl<D: Decide> Connection<D> {
    /// Serves the connection until it ends.
    pub(crate) async fn run(self: Rc<Self>, accepted: Accepted, closing: CancellationToken) {
        if let Err(error) = self.serve(accepted, closing).await {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn serve(self: Rc<Self>, accepted: Accepted, closing: CancellationToken) -> io::Result<()> {
        match (accepted.stream, accepted.tls) {
            (Stream::Unix(stream), _) => self.http2(UnixStream::from_std(stream)?, closing).await,
            (Stream::Tcp(stream), None) => self.http2(TcpStream::from_std(stream)?, closing).await,
            (Stream::Tcp(stream), Some(tls)) => {
                let stream = handshake(TcpStream::from_std(stream)?, &tls).await?;
                self.http2(stream, closing).await
            }
        }
    }

    async fn http2<I>(self: Rc<Self>, io: I, closing: CancellationToken) -> io::Result<()>
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (drain, age) = (self.shared.plan.drain, jitter(self.shared.plan.max_connection_age));
        let service = service_fn(move |request: Request<Incoming>| {
            let connection = Rc::clone(&self);
            async move { Ok::<_, Infallible>(connection.shared.serve(&connection.offer, request).await) }
        });
        let (io, preface) = Prefaced::new(io);
        let silent = async {
            tokio::time::sleep(HANDSHAKE).await;
            if preface.has_come() {
                std::future::pending::<()>().await;
            }
        };
        let mut connection = pin!(builder().serve_connection(TokioIo::new(io), service));
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(io::Error::other),
            () = silent => return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not speak HTTP/2")),
            () = tokio::time::sleep(age) => {}
            () = closing.cancelled() => {}
        }
        // GOAWAY; the requests under way are still answered.
        connection.as_mut().graceful_shutdown();
        match tokio::time::timeout(drain, connection).await {
            Ok(ended) => ended.map_err(io::Error::other),
            Err(_elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, "requests did not end in time")),
        }
    }
}

/// HTTP/2 with bounds on everything that a peer can make us keep.
fn builder() -> http2::Builder<LocalExecutor> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(1024)
        .max_header_list_size(16 << 10)
        .max_frame_size(64 << 10)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(4 << 20)
        .max_send_buf_size(1 << 20)
        .max_pending_accept_reset_streams(16_384)
        .max_local_error_reset_streams(4_096)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

async fn handshake(stream: TcpStream, tls: &LiveTls) -> io::Result<TlsStream<TcpStream>> {
    let accept = TlsAcceptor::from(tls.config()).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE, accept).await.map_err(|_elapsed| io::ErrorKind::TimedOut)??;
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client did not ask for HTTP/2"));
    }
    if !tls.admits(session.peer_certificates()) {
        tracing::warn!("connection refused: the client's certificate has no name that may connect");
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(stream)
}

/// A tenth more or less, so that connections of one start do not all end at once.
fn jitter(age: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(age) % 2001;
    let factor = 0.9 + f64::from(u16::try_from(random).unwrap_or(0)) / 10_000.0;
    age.mul_f64(factor)
}

/// Time for a TLS handshake, and for the HTTP/2 preface after it.
const HANDSHAKE: Duration = Duration::from_secs(10);
