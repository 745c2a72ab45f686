//! Layouts of times: how the reference time of Go, `Mon Jan 2 15:04:05 MST 2006`, is written says how others are.

use chrono::{DateTime, Datelike as _, FixedOffset, Timelike as _};

/// A part of a layout.
#[derive(Clone, Copy)]
enum Part {
    Year,
    YearOfCentury,
    MonthName,
    MonthShort,
    /// With two digits, or with as many as it has.
    Month(Pad),
    WeekdayName,
    WeekdayShort,
    Day(Pad),
    DayOfYear(Pad),
    Hour,
    HourOfHalf(Pad),
    Minute(Pad),
    Second(Pad),
    UpperHalf,
    LowerHalf,
    Zone,
    /// An offset with this much behind its hours; `Z` for none when that is said.
    Offset {
        z: bool,
        rest: &'static str,
    },
}

#[derive(Clone, Copy)]
enum Pad {
    None,
    Zeros,
    Spaces,
}

/// A longer part stands before those that it begins with.
const PARTS: [(&str, Part); 33] = [
    ("January", Part::MonthName),
    ("Jan", Part::MonthShort),
    ("Monday", Part::WeekdayName),
    ("Mon", Part::WeekdayShort),
    ("MST", Part::Zone),
    ("002", Part::DayOfYear(Pad::Zeros)),
    ("01", Part::Month(Pad::Zeros)),
    ("02", Part::Day(Pad::Zeros)),
    ("03", Part::HourOfHalf(Pad::Zeros)),
    ("04", Part::Minute(Pad::Zeros)),
    ("05", Part::Second(Pad::Zeros)),
    ("06", Part::YearOfCentury),
    ("15", Part::Hour),
    ("1", Part::Month(Pad::None)),
    ("2006", Part::Year),
    ("2", Part::Day(Pad::None)),
    ("__2", Part::DayOfYear(Pad::Spaces)),
    ("_2", Part::Day(Pad::Spaces)),
    ("3", Part::HourOfHalf(Pad::None)),
    ("4", Part::Minute(Pad::None)),
    ("5", Part::Second(Pad::None)),
    ("PM", Part::UpperHalf),
    ("pm", Part::LowerHalf),
    ("-07:00:00", Part::Offset { z: false, rest: ":m:s" }),
    ("-07:00", Part::Offset { z: false, rest: ":m" }),
    ("-070000", Part::Offset { z: false, rest: "ms" }),
    ("-0700", Part::Offset { z: false, rest: "m" }),
    ("-07", Part::Offset { z: false, rest: "" }),
    ("Z07:00:00", Part::Offset { z: true, rest: ":m:s" }),
    ("Z07:00", Part::Offset { z: true, rest: ":m" }),
    ("Z070000", Part::Offset { z: true, rest: "ms" }),
    ("Z0700", Part::Offset { z: true, rest: "m" }),
    ("Z07", Part::Offset { z: true, rest: "" }),
];

/// Layouts that have a name.
const NAMED: [(&str, &str); 10] = [
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("UnixDate", "Mon Jan _2 15:04:05 MST 2006"),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC822Z", "02 Jan 06 15:04 -0700"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("RFC3339", "2006-01-02T15:04:05Z07:00"),
    ("RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"),
];

/// A time as the layout has it.
pub(super) fn format(layout: &str, time: &DateTime<FixedOffset>, zone: &str) -> String {
    let mut rest = NAMED.iter().find(|(name, _)| *name == layout).map_or(layout, |(_, layout)| layout);
    let mut out = String::with_capacity(rest.len());
    while let Some(character) = rest.chars().next() {
        if let Some((digits, after)) = fraction(rest) {
            write_fraction(digits, character, time, &mut out);
            rest = after;
        } else if let Some((part, after)) = next_part(rest) {
            write(part, time, zone, &mut out);
            rest = after;
        } else {
            out.push(character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

/// The part that a text begins with, and what follows it.
fn next_part(text: &str) -> Option<(Part, &str)> {
    // A line before a year is a line, and no space for a day.
    if text.starts_with("_2006") {
        return None;
    }
    let (written, part) = PARTS.iter().find(|(written, _)| text.starts_with(written))?;
    let after = text.get(written.len()..)?;
    let is_word = after.starts_with(|c: char| c.is_ascii_lowercase());
    (!(is_word && matches!(part, Part::MonthShort | Part::WeekdayShort))).then_some((*part, after))
}

/// `.000` or `,999`: the point with its digits, and what follows them, which is no digit.
fn fraction(text: &str) -> Option<(&str, &str)> {
    let digits = text.strip_prefix(['.', ','])?;
    let first = digits.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let after = digits.trim_start_matches(first);
    let digits = digits.get(..digits.len() - after.len())?;
    (!after.starts_with(|c: char| c.is_ascii_digit())).then_some((digits, after))
}

/// Zeros stand for digits that are always there, nines for those up to the last that is not zero.
fn write_fraction(digits: &str, point: char, time: &DateTime<FixedOffset>, out: &mut String) {
    let nanoseconds = format!("{:09}", time.nanosecond() % 1_000_000_000);
    let shown = nanoseconds.get(..digits.len().min(9)).unwrap_or_default();
    let shown = if digits.starts_with('9') { shown.trim_end_matches('0') } else { shown };
    if !shown.is_empty() {
        out.push(point);
        out.push_str(shown);
    }
}

fn write(part: Part, time: &DateTime<FixedOffset>, zone: &str, out: &mut String) {
    let text = match part {
        Part::Year => format!("{:04}", time.year()),
        Part::YearOfCentury => format!("{:02}", time.year().rem_euclid(100)),
        Part::MonthName => time.format("%B").to_string(),
        Part::MonthShort => time.format("%b").to_string(),
        Part::Month(pad) => padded(time.month(), 2, pad),
        Part::WeekdayName => time.format("%A").to_string(),
        Part::WeekdayShort => time.format("%a").to_string(),
        Part::Day(pad) => padded(time.day(), 2, pad),
        Part::DayOfYear(pad) => padded(time.ordinal(), 3, pad),
        Part::Hour => padded(time.hour(), 2, Pad::Zeros),
        Part::HourOfHalf(pad) => padded(time.hour12().1, 2, pad),
        Part::Minute(pad) => padded(time.minute(), 2, pad),
        Part::Second(pad) => padded(time.second(), 2, pad),
        Part::UpperHalf => (if time.hour12().0 { "PM" } else { "AM" }).to_owned(),
        Part::LowerHalf => (if time.hour12().0 { "pm" } else { "am" }).to_owned(),
        Part::Zone => zone.to_owned(),
        Part::Offset { z, rest } => offset(time.offset().local_minus_utc(), z, rest),
    };
    out.push_str(&text);
}

fn padded(number: u32, width: usize, pad: Pad) -> String {
    match pad {
        Pad::None => number.to_string(),
        Pad::Zeros => format!("{number:0width$}"),
        Pad::Spaces => format!("{number:width$}"),
    }
}

fn offset(seconds: i32, z: bool, rest: &str) -> String {
    if z && seconds == 0 {
        return "Z".to_owned();
    }
    let (sign, seconds) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
    let mut out = format!("{sign}{:02}", seconds / 3600);
    for unit in rest.chars() {
        match unit {
            'm' => out.push_str(&format!("{:02}", seconds / 60 % 60)),
            's' => out.push_str(&format!("{:02}", seconds % 60)),
            other => out.push(other),
        }
    }
    out
}
