//! `units.*` and `time.parse_duration_ns` behind checks that give OPA's errors, and bound what is computed.

use anyhow::{Context as _, Result, bail};
use regorus::Value;

use crate::builtins::call_engine;

/// The greatest exponent: beyond it are numbers that no float holds.
const MAX_EXPONENT: u32 = 308;

/// Units that OPA knows. The engine knows more.
const UNITS: [&str; 14] = ["", "m", "k", "ki", "mi", "g", "gi", "t", "ti", "p", "pi", "e", "ei", "M"];

/// `units.parse(text)`.
pub(super) fn parse(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let text = text.replace('"', "");
    check_exponent(&text)?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'));
    let unit = unit
        .strip_prefix(['e', 'E'])
        .filter(|rest| rest.contains(|c: char| c.is_ascii_digit()))
        .map_or(unit, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-')));
    let folded = if unit == "M" { unit.to_owned() } else { unit.to_ascii_lowercase() };
    if !UNITS.contains(&folded.as_str()) {
        bail!("unit {unit} not recognized");
    }
    defined(call_engine("units.parse", &[Value::from(text)])?)
}

/// `units.parse_bytes(text)`.
pub(super) fn parse_bytes(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    check_exponent(text)?;
    defined(call_engine("units.parse_bytes", args)?)
}

fn defined(value: Value) -> Result<Value> {
    if value == Value::Undefined { bail!("not an amount") } else { Ok(value) }
}

fn check_exponent(text: &str) -> Result<()> {
    for part in text.split(['e', 'E']).skip(1) {
        let part = part.trim_start_matches(['+', '-']);
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let digits = part.get(..end).unwrap_or_default();
        if !digits.is_empty() && digits.parse::<u32>().is_ok_and(|exponent| exponent <= MAX_EXPONENT) {
            continue;
        }
        if !digits.is_empty() {
            bail!("exponent too large");
        }
    }
    Ok(())
}

/// `time.parse_duration_ns(duration)`: Go's durations, and days, weeks and years of 365 days.
pub(super) fn parse_duration_ns(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    if !text.contains(['d', 'w', 'y']) {
        return defined(call_engine("time.parse_duration_ns", args)?);
    }
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text.as_ref()),
    };
    let mut sum: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').context("no unit")?;
        let (number, after) = rest.split_at_checked(end).context("no number")?;
        let (unit, after) =
            UNIT_NS.iter().find_map(|(unit, ns)| Some((*ns, after.strip_prefix(unit)?))).context("unknown unit")?;
        sum = sum.checked_add(nanoseconds(number, unit)?).context("out of range")?;
        rest = after;
    }
    let sum = if negative { -sum } else { sum };
    Ok(Value::from(i64::try_from(sum)?))
}

/// Longer names first, so that none is taken for a shorter one.
const UNIT_NS: [(&str, i128); 11] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
    ("y", 31_536_000_000_000_000),
];

fn nanoseconds(number: &str, unit: i128) -> Result<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        bail!("not a number");
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse()? };
    // More digits than these are less than a nanosecond of any unit.
    let fraction: String = fraction.chars().take(18).collect();
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len())?).context("too many digits")?;
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse()? };
    whole.checked_mul(unit).and_then(|whole| whole.checked_add(part.checked_mul(unit)? / scale)).context("out of range")
}
