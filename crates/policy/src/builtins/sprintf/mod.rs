//! `sprintf` with the verbs and flags of Go's fmt, as OPA has it.
//!
//! Integers are `int` or `*big.Int` there, other numbers `float64`, and everything else is text. The engine does not keep how a number
//! was written, so `1.0` is an integer; in return a verb for floating point numbers takes integers, too.

mod float;
mod integer;
mod template;
mod text;

use anyhow::{Result, bail};
use regorus::Value;

use crate::builtins::dispatch::dispatched_to;
use crate::builtins::limit::over_limit;

pub(super) use template::template_string;

/// The longest text that is made, in bytes.
const MAX_TEXT_BYTES: usize = 16 << 20;
/// The greatest width and precision.
const MAX_WIDTH: usize = 100_000;

/// `sprintf(format, values)`.
pub(super) fn sprintf(args: &[Value]) -> Result<Value> {
    let [Value::String(format), Value::Array(values)] = args else { bail!("a format and an array") };
    let values: Vec<Value> = values.iter().cloned().collect();
    if let Some(native) = dispatched_to(format) {
        return native(&values);
    }
    let mut printer = Printer { out: String::with_capacity(format.len()), next: 0, reordered: false, args: &values };
    match printer.run(format) {
        Ok(()) => Ok(Value::from(printer.out)),
        Err(TooLong) => over_limit("sprintf"),
    }
}

/// The result would be longer than is allowed.
struct TooLong;

/// What stands between `%` and the verb.
#[derive(Default, Clone, Copy)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// A value as Go is given it.
enum Arg {
    Integer(Value),
    Float(f64),
    Text(String),
}

impl Arg {
    fn new(value: &Value) -> Self {
        match value {
            Value::Number(number) if number.as_big().is_some() => Self::Integer(value.clone()),
            Value::Number(number) => number.as_f64().map_or_else(|| Self::Text(value.to_string()), Self::Float),
            Value::String(text) => Self::Text(text.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Set(_) | Value::Object(_) | Value::Undefined => {
                Self::Text(text::term(value))
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Integer(value) if value.as_i64().is_ok() => "int",
            Self::Integer(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }

    /// `None` for a verb that is none of this kind.
    fn print(&self, verb: char, flags: Flags) -> Option<String> {
        // With `v` a plus asks for the names of fields, and `#` for a value as Go writes it: neither changes a number.
        let is_text = matches!(self, Self::Text(_));
        let flags = if verb == 'v' { Flags { plus: false, sharp: flags.sharp && is_text, ..flags } } else { flags };
        match self {
            Self::Integer(value) => {
                let is_big = value.as_i64().is_err();
                match verb {
                    'e' | 'E' | 'f' | 'F' | 'g' | 'G' => float::print(value.as_f64().ok()?, verb, flags),
                    // Big integers print themselves as texts, small ones do not.
                    's' if is_big => integer::print(value, 'd', flags),
                    _ => integer::print(value, verb, flags),
                }
            }
            Self::Float(number) => float::print(*number, verb, flags),
            Self::Text(text) => text::print(text, verb, flags),
        }
    }
}

struct Printer<'a> {
    out: String,
    /// The argument to print next.
    next: usize,
    /// True when the format chose arguments by number: then none is too many.
    reordered: bool,
    args: &'a [Value],
}

impl Printer<'_> {
    fn run(&mut self, format: &str) -> Result<(), TooLong> {
        let mut rest = format;
        while let Some((before, after)) = rest.split_once('%') {
            self.push(before)?;
            rest = self.directive(after)?;
        }
        self.push(rest)?;
        if !self.reordered && self.next < self.args.len() {
            let extra: Vec<String> =
                self.args.iter().skip(self.next).map(|value| described(&Arg::new(value))).collect();
            self.push(&format!("%!(EXTRA {})", extra.join(", ")))?;
        }
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), TooLong> {
        if self.out.len() + text.len() > MAX_TEXT_BYTES {
            return Err(TooLong);
        }
        self.out.push_str(text);
        Ok(())
    }

    /// Prints what follows a `%`, and gives what follows that.
    fn directive<'t>(&mut self, text: &'t str) -> Result<&'t str, TooLong> {
        let mut cursor = Cursor { rest: text, good_index: true, after_index: false };
        let mut flags = cursor.flags();
        self.index(&mut cursor);
        if cursor.take('*') {
            match self.number(&mut cursor)? {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.push("%!(BADWIDTH)")?,
            }
        } else {
            flags.width = cursor.digits();
            cursor.good_index &= !(cursor.after_index && flags.width.is_some());
        }
        if cursor.rest.len() > 1 && cursor.take('.') {
            cursor.good_index &= !cursor.after_index;
            self.index(&mut cursor);
            if cursor.take('*') {
                match self.number(&mut cursor)?.map(usize::try_from) {
                    Some(Ok(precision)) => flags.precision = Some(precision),
                    Some(Err(_)) => {}
                    None => self.push("%!(BADPREC)")?,
                }
            } else {
                flags.precision = Some(cursor.digits().unwrap_or(0));
            }
        }
        if !cursor.after_index {
            self.index(&mut cursor);
        }
        if flags.width.max(flags.precision).is_some_and(|most| most > MAX_WIDTH) {
            return Err(TooLong);
        }
        let mut chars = cursor.rest.chars();
        match chars.next() {
            None => self.push("%!(NOVERB)")?,
            Some('%') => self.push("%")?,
            Some(verb) if !cursor.good_index => self.push(&format!("%!{verb}(BADINDEX)"))?,
            Some(verb) => match self.take_argument() {
                None => self.push(&format!("%!{verb}(MISSING)"))?,
                Some(arg) => self.push(&printed(&arg, verb, flags))?,
            },
        }
        Ok(chars.as_str())
    }

    fn take_argument(&mut self) -> Option<Arg> {
        let value = self.args.get(self.next)?;
        self.next += 1;
        Some(Arg::new(value))
    }

    /// The integer that a `*` stands for.
    fn number(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<i64>, TooLong> {
        cursor.after_index = false;
        let number = match self.take_argument() {
            Some(Arg::Integer(value)) => value.as_i64().ok(),
            Some(Arg::Float(_) | Arg::Text(_)) | None => None,
        };
        match number {
            Some(number) if number.unsigned_abs() > MAX_WIDTH as u64 => Err(TooLong),
            other => Ok(other),
        }
    }

    /// `[n]` chooses an argument, counted from one.
    fn index(&mut self, cursor: &mut Cursor<'_>) {
        let Some(after) = cursor.rest.strip_prefix('[') else { return };
        self.reordered = true;
        let Some((inside, rest)) = after.split_once(']') else {
            cursor.good_index = false;
            cursor.rest = after;
            return;
        };
        cursor.rest = rest;
        match inside.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < self.args.len()) {
            Some(index) => {
                self.next = index;
                cursor.after_index = true;
            }
            None => cursor.good_index = false,
        }
    }
}

/// The part of a directive that is not read yet.
struct Cursor<'t> {
    rest: &'t str,
    good_index: bool,
    /// True right after `[n]`.
    after_index: bool,
}

impl Cursor<'_> {
    fn take(&mut self, wanted: char) -> bool {
        let after = self.rest.strip_prefix(wanted);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            let flag = match self.rest.chars().next() {
                Some('+') => &mut flags.plus,
                Some('-') => &mut flags.minus,
                Some('#') => &mut flags.sharp,
                Some(' ') => &mut flags.space,
                Some('0') => &mut flags.zero,
                _ => return flags,
            };
            *flag = true;
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }

    fn digits(&mut self) -> Option<usize> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        // A number that does not fit is over the limit in any case.
        (!digits.is_empty()).then(|| digits.parse().unwrap_or(usize::MAX))
    }
}

fn printed(arg: &Arg, verb: char, flags: Flags) -> String {
    if verb == 'T' {
        return text::pad(arg.kind().to_owned(), flags);
    }
    arg.print(verb, flags).unwrap_or_else(|| {
        let value = arg.print('v', flags).unwrap_or_default();
        format!("%!{verb}({}={value})", arg.kind())
    })
}

/// Type and value, for an argument that has no verb.
fn described(arg: &Arg) -> String {
    format!("{}={}", arg.kind(), arg.print('v', Flags::default()).unwrap_or_default())
}
