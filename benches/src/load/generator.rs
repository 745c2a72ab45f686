//! The loop.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::connection::Connection;
use super::pace::{Pace, Schedule};
use super::report::{LoadReport, Tally};
use super::socket::Target;
use crate::plan::{FIRST_FRESH_NUMBER, LoadPlan, NUMBER_DIGITS, Verdict};
use crate::procfs;

/// How to load a server.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The server.
    pub target: Target,
    /// Process to take the CPU time of.
    pub server: u32,
    /// Connections.
    pub connections: usize,
    /// Requests under way on each of them when saturated.
    pub streams: usize,
    /// How fast.
    pub pace: Pace,
    /// Time before the measurement.
    pub warm_up: Duration,
    /// Time of the measurement.
    pub duration: Duration,
    /// Number of the first request that was never seen before.
    pub first_fresh: u32,
}

/// Sends requests and checks the answers.
///
/// # Errors
/// When the server closes a connection, cannot keep up with the rate, or does not answer at all.
pub fn run(plan: &LoadPlan, options: &LoadOptions) -> anyhow::Result<LoadReport> {
    let connections: anyhow::Result<Vec<_>> =
        (0..options.connections).map(|_| Connection::open(&options.target, plan.method)).collect();
    let now = Instant::now();
    let generator = Generator {
        requests: Requests::new(plan, options.first_fresh),
        connections: connections?,
        streams: if options.pace == Pace::Saturated { options.streams } else { usize::MAX },
        schedule: Schedule::new(options.pace, now),
        tally: Tally::new(now),
        first: 0,
    };
    generator.run(options, now)
}

struct Generator<'a> {
    requests: Requests<'a>,
    connections: Vec<Connection>,
    streams: usize,
    schedule: Schedule,
    tally: Tally,
    /// The connection that gets the next request when there is a choice.
    first: usize,
}

impl Generator<'_> {
    fn run(mut self, options: &LoadOptions, start: Instant) -> anyhow::Result<LoadReport> {
        self.until(start + options.warm_up)?;
        let before = Cpu::now(options.server)?;
        let begin = Instant::now();
        self.tally = Tally::new(begin);
        let end = self.until(begin + options.duration)?;
        let after = Cpu::now(options.server)?;
        let (requests, wrong, denied) = (self.tally.requests, self.tally.wrong, self.tally.denied);
        if requests == 0 {
            bail!("the server answered nothing in {:?}", options.duration);
        }
        let lost = self.drain(end + DRAIN)?;
        let (latency, latency_clean) = self.tally.latencies();
        let seconds = end.duration_since(begin).as_secs_f64();
        let spent = before.until(&after);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 requests")]
        let per_request = |time: Duration| time.as_secs_f64() * 1e6 / requests as f64;
        Ok(LoadReport {
            requests,
            seconds,
            wrong,
            denied,
            lost,
            server_cpu_us: per_request(spent.server),
            generator_cpu_us: per_request(spent.own),
            server_busy: spent.server.as_secs_f64() / seconds,
            foreign_cpu: spent.foreign().as_secs_f64() / seconds,
            latency,
            latency_clean,
            stalls: self.tally.stalls,
        })
    }

    /// Sends and receives until then; returns when it was.
    fn until(&mut self, end: Instant) -> anyhow::Result<Instant> {
        loop {
            let now = Instant::now();
            self.tally.turn(now);
            if now >= end {
                return Ok(now);
            }
            self.schedule.advance(now)?;
            self.fill(now);
            self.exchange()?;
        }
    }

    /// Queues what is due, as far as there is room.
    fn fill(&mut self, now: Instant) {
        let count = self.connections.len();
        let mut full = 0;
        while full < count {
            let position = self.first;
            self.first = (self.first + 1) % count.max(1);
            let Some(connection) = self.connections.get_mut(position) else { return };
            if connection.in_flight() >= self.streams || !connection.has_room(self.requests.largest) {
                full += 1;
                continue;
            }
            let Some(scheduled) = self.schedule.take(now) else { return };
            let Some((message, wanted)) = self.requests.next() else { return };
            connection.send(message, scheduled, wanted);
            full = 0;
        }
    }

    fn exchange(&mut self) -> anyhow::Result<()> {
        let tally = &mut self.tally;
        for connection in &mut self.connections {
            connection.flush()?;
            let now = Instant::now();
            connection.receive(|answer| tally.answer(answer.scheduled, now, answer.got, answer.wanted))?;
        }
        Ok(())
    }

    /// Waits for the last answers, so that the slowest requests are not left out; returns how many never came.
    fn drain(&mut self, end: Instant) -> anyhow::Result<u64> {
        let waiting = |connections: &[Connection]| connections.iter().map(Connection::in_flight).sum::<usize>();
        while waiting(&self.connections) > 0 && Instant::now() < end {
            self.exchange()?;
        }
        Ok(u64::try_from(waiting(&self.connections)).unwrap_or(u64::MAX))
    }
}

/// The requests in the order of the trace.
struct Requests<'a> {
    plan: &'a LoadPlan,
    messages: Vec<Vec<u8>>,
    largest: usize,
    turn: usize,
    fresh: u32,
}

impl<'a> Requests<'a> {
    fn new(plan: &'a LoadPlan, first_fresh: u32) -> Self {
        let messages: Vec<_> = plan.frames.iter().map(|frame| frame.message.clone()).collect();
        let largest = messages.iter().map(Vec::len).max().unwrap_or(0);
        Self { plan, messages, largest, turn: 0, fresh: first_fresh.max(FIRST_FRESH_NUMBER) }
    }

    fn next(&mut self) -> Option<(&[u8], Verdict)> {
        let turn = self.plan.trace.get(self.turn)?;
        self.turn = (self.turn + 1) % self.plan.trace.len();
        let frame = self.plan.frames.get(turn.frame)?;
        let message = self.messages.get_mut(turn.frame)?;
        if !frame.number_at.is_empty() {
            let number = turn.number.unwrap_or_else(|| {
                self.fresh += 1;
                self.fresh
            });
            let digits = digits(number);
            for at in &frame.number_at {
                message.get_mut(*at..*at + NUMBER_DIGITS)?.copy_from_slice(&digits);
            }
        }
        Some((message, frame.expect))
    }
}

fn digits(mut number: u32) -> [u8; NUMBER_DIGITS] {
    let mut digits = [b'0'; NUMBER_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    digits
}

/// CPU times at one moment, or between two.
#[derive(Debug)]
struct Cpu {
    server: Duration,
    own: Duration,
    all: Duration,
}

impl Cpu {
    fn now(server: u32) -> anyhow::Result<Self> {
        let server = procfs::cpu_time(server).context("no CPU time of the server")?;
        let own = procfs::cpu_time(std::process::id()).context("no CPU time of the generator")?;
        Ok(Self { server, own, all: procfs::busy_time()? })
    }

    fn until(&self, later: &Self) -> Self {
        Self {
            server: later.server.saturating_sub(self.server),
            own: later.own.saturating_sub(self.own),
            all: later.all.saturating_sub(self.all),
        }
    }

    fn foreign(&self) -> Duration {
        self.all.saturating_sub(self.server + self.own)
    }
}

/// How long to wait for the last answers.
const DRAIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Frame, Method, Turn};

    #[test]
    fn numbers_have_eight_digits() {
        assert_eq!(&digits(42), b"00000042");
        assert_eq!(&digits(12_345_678), b"12345678");
    }

    #[test]
    fn fresh_numbers_never_repeat_and_the_trace_starts_again() {
        let frame = Frame { message: b"/a/00000000".to_vec(), expect: Verdict::Allow, number_at: vec![3] };
        let trace = vec![Turn { frame: 0, number: Some(7) }, Turn { frame: 0, number: None }];
        let plan = LoadPlan { method: Method::Check, frames: vec![frame], trace };
        let mut requests = Requests::new(&plan, 0);
        let sent: Vec<_> = (0..4).map(|_| String::from_utf8(requests.next().unwrap().0.to_vec()).unwrap()).collect();
        assert_eq!(sent, ["/a/00000007", "/a/10000001", "/a/00000007", "/a/10000002"]);
    }
}
