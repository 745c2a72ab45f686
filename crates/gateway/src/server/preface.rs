//! A peer that connects and says nothing is not waited for.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Length of the HTTP/2 client preface (RFC 9113 §3.4). After it, pings find out whether the peer still lives.
const PREFACE: usize = 24;

/// A stream that knows whether its peer has sent as much as the preface.
pub(crate) struct Prefaced<I> {
    io: I,
    received: Rc<Cell<usize>>,
}

/// Tells whether the preface has come.
pub(crate) struct Preface(Rc<Cell<usize>>);

impl Preface {
    pub(crate) fn has_come(&self) -> bool {
        self.0.get() >= PREFACE
    }
}

impl<I> Prefaced<I> {
    pub(crate) fn new(io: I) -> (Self, Preface) {
        let received = Rc::new(Cell::new(0));
        (Self { io, received: Rc::clone(&received) }, Preface(received))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Prefaced<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if self.received.get() < PREFACE {
            self.received.set(self.received.get() + (buf.filled().len() - before));
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Prefaced<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
