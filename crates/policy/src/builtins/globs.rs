//! `regex.globs_match`: whether some text that is not empty is matched by two patterns of a small language.
//!
//! A pattern is a row of characters, `.`, and sets such as `[a-z_]`, each once, or any number of times with `*`, or at
//! least once with `+`. A backslash takes the next character as it is.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use regorus::Value;

use crate::builtins::limit::over_limit;

/// How long two patterns may be together, in bytes: the work grows with the third power.
const MAX_BYTES: usize = 512;

/// `regex.globs_match(first, second)`.
pub(super) fn globs_match(args: &[Value]) -> Result<Value> {
    let [Value::String(first), Value::String(second)] = args else { bail!("two texts") };
    if first.len() + second.len() > MAX_BYTES {
        return over_limit("regex.globs_match");
    }
    let (first, second) = (read(first)?, read(second)?);
    let mut meeting = Meeting { patterns: [&first, &second], known: HashMap::new() };
    Ok(Value::Bool(meeting.rests(0, 0, 0)))
}

/// How often a place stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    /// `+`
    Some,
    /// `*`
    Any,
}

/// One place of a pattern, with the characters that may stand there, as ranges.
struct Place {
    ranges: Vec<(char, char)>,
    times: Times,
}

impl Place {
    fn meets(&self, other: &Self) -> bool {
        self.ranges.iter().any(|(low, high)| other.ranges.iter().any(|(from, to)| low <= to && from <= high))
    }
}

fn read(pattern: &str) -> Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    let mut characters = pattern.chars();
    // True behind a character or a set, where `*` and `+` may stand.
    let mut may_repeat = false;
    while let Some(character) = characters.next() {
        let ranges = match character {
            '*' | '+' => {
                let last = places.last_mut().filter(|_| may_repeat).context("nothing to repeat")?;
                last.times = if character == '*' { Times::Any } else { Times::Some };
                may_repeat = false;
                continue;
            }
            '.' => vec![('\0', char::MAX)],
            '[' => read_set(&mut characters)?,
            ']' => bail!("a set that does not begin"),
            '\\' => one(characters.next().context("nothing behind a backslash")?),
            other => one(other),
        };
        places.push(Place { ranges, times: Times::Once });
        may_repeat = true;
    }
    Ok(places)
}

fn one(character: char) -> Vec<(char, char)> {
    vec![(character, character)]
}

/// A set up to its `]`.
fn read_set(characters: &mut std::str::Chars<'_>) -> Result<Vec<(char, char)>> {
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut next = || -> Result<(char, bool)> {
        match characters.next().context("a set without an end")? {
            '\\' => Ok((characters.next().context("nothing behind a backslash")?, true)),
            other => Ok((other, false)),
        }
    };
    // True behind a character that may begin a range.
    let mut may_begin = false;
    loop {
        match next()? {
            (']', false) => return Ok(ranges),
            ('-', false) => {
                let (low, _) = ranges.pop().filter(|_| may_begin).context("a range without a beginning")?;
                let (high, escaped) = next()?;
                if !escaped && matches!(high, ']' | '-') || high < low {
                    bail!("a range without an end");
                }
                ranges.push((low, high));
                may_begin = false;
            }
            (character, _) => {
                ranges.push((character, character));
                may_begin = true;
            }
        }
    }
}

/// Finds where two patterns meet. Each question is answered once, so the work is bounded.
///
/// A place that repeats takes as many places of the other pattern as fit it, whatever their own repetition. It gives way
/// only to a place of the other pattern that fits what follows it, so some patterns that share a text do not meet: `ab*`
/// and `a`. That is what OPA says, and policies must not allow more here.
struct Meeting<'a> {
    patterns: [&'a [Place]; 2],
    /// What is known of the rests of both patterns, by the pattern that is asked first.
    known: HashMap<(usize, usize, usize), bool>,
}

impl Meeting<'_> {
    fn place(&self, side: usize, at: usize) -> Option<&Place> {
        self.patterns.get(side)?.get(at)
    }

    fn fit(&self, side: usize, i: usize, j: usize) -> bool {
        match (self.place(side, i), self.place(1 - side, j)) {
            (Some(here), Some(there)) => here.meets(there),
            _ => false,
        }
    }

    /// True when the rest of pattern `side` from `i` on meets that of the other from `j` on.
    fn rests(&mut self, side: usize, i: usize, j: usize) -> bool {
        if let Some(known) = self.known.get(&(side, i, j)) {
            return *known;
        }
        let (mut i_now, mut j_now) = (i, j);
        let answer = loop {
            let (Some(here), Some(there)) = (self.place(side, i_now), self.place(1 - side, j_now)) else {
                break self.place(side, i_now).is_none() && self.place(1 - side, j_now).is_none();
            };
            match (here.times, there.times) {
                (Times::Once, Times::Once) if here.meets(there) => (i_now, j_now) = (i_now + 1, j_now + 1),
                (Times::Once, Times::Once) => break false,
                (Times::Any, _) => break self.any(side, i_now, j_now),
                (Times::Some, _) => break self.some(side, i_now, j_now),
                (Times::Once, Times::Any) => break self.any(1 - side, j_now, i_now),
                (Times::Once, Times::Some) => break self.some(1 - side, j_now, i_now),
            }
        };
        self.known.insert((side, i, j), answer);
        answer
    }

    /// The place takes one of the other pattern at least.
    fn some(&mut self, side: usize, i: usize, j: usize) -> bool {
        let repeats = self.place(1 - side, j).is_some_and(|there| there.times != Times::Once);
        self.fit(side, i, j) && (self.any(side, i, j + 1) || repeats && self.rests(side, i + 1, j))
    }

    fn any(&mut self, side: usize, i: usize, from: usize) -> bool {
        let mut j = from;
        while self.place(1 - side, j).is_some() {
            if self.fit(side, i + 1, j) && self.rests(side, i + 1, j) {
                return true;
            }
            if !self.fit(side, i, j) {
                return false;
            }
            j += 1;
        }
        self.place(side, i + 1).is_none()
    }
}
