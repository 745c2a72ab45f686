//! One connection with its requests under way.

use std::time::Instant;

use anyhow::{Context as _, bail};

use super::h2::{
    self, ACK, DATA, END_STREAM, FIRST_WINDOW, FRAME_HEADER, FrameView, GOAWAY, GRPC_PREFIX, HEADERS, OUR_WINDOW, PING,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame_header,
};
use super::socket::{Socket, Target};
use super::verdict;
use crate::plan::{Method, Verdict};

#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    method: Method,
    next_stream: u32,
    flights: Vec<Flight>,
    max_streams: usize,
    window: i64,
    received: u32,
    input: Vec<u8>,
    filled: usize,
    output: Vec<u8>,
    written: usize,
}

/// A request under way.
#[derive(Debug)]
struct Flight {
    stream: u32,
    scheduled: Instant,
    wanted: Verdict,
    got: Option<Verdict>,
    /// Part of a message that came in several frames.
    partial: Vec<u8>,
}

/// A request that is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) scheduled: Instant,
    pub(super) wanted: Verdict,
    pub(super) got: Verdict,
}

impl Connection {
    pub(super) fn open(target: &Target, method: Method) -> anyhow::Result<Self> {
        Ok(Self {
            socket: Socket::connect(target)?,
            method,
            next_stream: 1,
            flights: Vec::new(),
            max_streams: 100,
            window: FIRST_WINDOW,
            received: 0,
            input: vec![0; INPUT_BYTES],
            filled: 0,
            output: h2::preface(),
            written: 0,
        })
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// True when a message of this length may be sent now.
    pub(super) fn has_room(&self, message: usize) -> bool {
        let length = i64::try_from(message + GRPC_PREFIX).unwrap_or(i64::MAX);
        self.flights.len() < self.max_streams && length <= self.window && self.output.len() < MAX_UNSENT
    }

    /// Queues a request.
    pub(super) fn send(&mut self, message: &[u8], scheduled: Instant, wanted: Verdict) {
        let stream = self.next_stream;
        self.next_stream += 2;
        h2::request_headers(&mut self.output, stream, self.method.path());
        let length = message.len() + GRPC_PREFIX;
        frame_header(&mut self.output, length, DATA, END_STREAM, stream);
        self.output.push(0);
        self.output.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.output.extend_from_slice(message);
        self.window -= i64::try_from(length).unwrap_or(i64::MAX);
        self.flights.push(Flight { stream, scheduled, wanted, got: None, partial: Vec::new() });
    }

    /// Writes what is queued.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest)? {
                0 => return Ok(()),
                n => self.written += n,
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what has arrived and reports the requests that are answered by it.
    pub(super) fn receive(&mut self, mut answered: impl FnMut(Answered)) -> anyhow::Result<()> {
        let free = self.input.get_mut(self.filled..).context("the input buffer is lost")?;
        let read = self.socket.read(free)?;
        if read == 0 {
            return Ok(());
        }
        self.filled += read;
        let mut input = std::mem::take(&mut self.input);
        let handled = self.frames(input.get(..self.filled).unwrap_or_default(), &mut answered);
        let used = handled?;
        input.copy_within(used..self.filled, 0);
        self.filled -= used;
        self.input = input;
        if self.filled == self.input.len() {
            bail!("the server sent a frame of more than {INPUT_BYTES} bytes");
        }
        Ok(())
    }

    /// Handles all whole frames; returns how many bytes they took.
    fn frames(&mut self, input: &[u8], answered: &mut impl FnMut(Answered)) -> anyhow::Result<usize> {
        let mut rest = input;
        while let Some((frame, after)) = FrameView::split(rest) {
            self.frame(&frame, answered)?;
            rest = after;
        }
        Ok(input.len() - rest.len())
    }

    fn frame(&mut self, frame: &FrameView<'_>, answered: &mut impl FnMut(Answered)) -> anyhow::Result<()> {
        match frame.kind {
            DATA => {
                self.credit(frame.payload.len());
                self.message(frame.stream, frame.data());
                if frame.flags & END_STREAM != 0 {
                    self.close(frame.stream, answered);
                }
            }
            HEADERS if frame.flags & END_STREAM != 0 => self.close(frame.stream, answered),
            RST_STREAM => self.close(frame.stream, answered),
            SETTINGS if frame.flags & ACK == 0 => self.settings(frame)?,
            PING if frame.flags & ACK == 0 => {
                frame_header(&mut self.output, frame.payload.len(), PING, ACK, 0);
                self.output.extend_from_slice(frame.payload);
            }
            WINDOW_UPDATE if frame.stream == 0 => self.window += i64::from(frame.number()),
            GOAWAY => bail!("the server said good-bye in the middle of the run"),
            _ => {}
        }
        Ok(())
    }

    fn settings(&mut self, frame: &FrameView<'_>) -> anyhow::Result<()> {
        for (name, value) in frame.settings() {
            match name {
                1 if value < 4096 => bail!("the server's header table is too small for this generator: {value} bytes"),
                3 => self.max_streams = usize::try_from(value).unwrap_or(usize::MAX),
                4 if i64::from(value) < FIRST_WINDOW => bail!("the server's stream window is too small: {value} bytes"),
                _ => {}
            }
        }
        frame_header(&mut self.output, 0, SETTINGS, ACK, 0);
        Ok(())
    }

    /// Gives the server back what it used of our window, now and then.
    fn credit(&mut self, bytes: usize) {
        self.received += u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.received > OUR_WINDOW / 4 {
            h2::window_update(&mut self.output, self.received);
            self.received = 0;
        }
    }

    fn message(&mut self, stream: u32, data: &[u8]) {
        let method = self.method;
        let Some(flight) = self.flights.iter_mut().find(|flight| flight.stream == stream) else { return };
        if flight.partial.is_empty() {
            flight.got = whole(data).map(|message| verdict(method, message));
        }
        if flight.got.is_none() && !data.is_empty() {
            flight.partial.extend_from_slice(data);
            flight.got = whole(&flight.partial).map(|message| verdict(method, message));
        }
    }

    fn close(&mut self, stream: u32, answered: &mut impl FnMut(Answered)) {
        let Some(position) = self.flights.iter().position(|flight| flight.stream == stream) else { return };
        let Flight { scheduled, wanted, got, .. } = self.flights.swap_remove(position);
        answered(Answered { scheduled, wanted, got: got.unwrap_or(Verdict::Fault) });
    }
}

/// The message in a gRPC frame, when it is there as a whole.
fn whole(data: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = data.split_first_chunk::<GRPC_PREFIX>()?;
    let [_, l0, l1, l2, l3] = *prefix;
    let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).ok()?;
    (message.len() == length).then_some(message)
}

/// Room for many answers and one frame of any allowed size.
const INPUT_BYTES: usize = (1 << 18) + FRAME_HEADER;
/// More than this waits in the generator, not in the socket.
const MAX_UNSENT: usize = 1 << 16;
