//! Builtins of the engine behind checks that keep them from panicking or from using all memory.

use anyhow::{Result, bail};
use regorus::Value;

use crate::builtins::call_engine;
use crate::builtins::limit::over_limit;

/// The most elements that a builtin may make.
const MAX_ELEMENTS: i128 = 100_000;
/// The longest text that a replacement may make, in bytes.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// The most places and patterns that a replacement may compare.
const MAX_COMPARISONS: usize = 64 << 20;

/// `numbers.range`: bounded number of elements.
pub(super) fn numbers_range(args: &[Value]) -> Result<Value> {
    if span_of(args).is_some_and(|span| span > MAX_ELEMENTS) {
        return over_limit("numbers.range");
    }
    call_engine("numbers.range", args)
}

/// `numbers.range_step`: bounded number of elements.
pub(super) fn numbers_range_step(args: &[Value]) -> Result<Value> {
    let step = args.get(2).and_then(|s| s.as_i128().ok()).unwrap_or(1);
    if step <= 0 {
        bail!("step must be a positive number above zero");
    }
    let span = span_of(args);
    if span.is_some_and(|span| span / step > MAX_ELEMENTS) {
        return over_limit("numbers.range_step");
    }
    // The engine's steps are 64 bits long.
    if let (Some(span), [from, ..]) = (span, args)
        && span < step
    {
        return Ok(Value::from(vec![from.clone()]));
    }
    call_engine("numbers.range_step", args)
}

fn span_of(args: &[Value]) -> Option<i128> {
    let (from, to) = (args.first()?, args.get(1)?);
    match (from.as_i128(), to.as_i128()) {
        (Ok(from), Ok(to)) => Some(to.saturating_sub(from).saturating_abs()),
        // A number beyond 128 bits, or none at all: too far in any case, or refused by the engine.
        _ => matches!((from, to), (Value::Number(_), Value::Number(_))).then_some(i128::MAX),
    }
}

/// `net.cidr_expand`: only networks with a bounded number of addresses.
pub(super) fn cidr_expand(args: &[Value]) -> Result<Value> {
    if let Some(Value::String(text)) = args.first() {
        let bits = if text.contains(':') { 128_u32 } else { 32 };
        let prefix = text.rsplit('/').next().and_then(|p| p.parse::<u32>().ok()).unwrap_or(0);
        if bits.saturating_sub(prefix) > 16 {
            return over_limit("net.cidr_expand");
        }
    }
    call_engine("net.cidr_expand", args)
}

/// `strings.count`: as Go's `strings.Count`, where the empty string stands between all characters.
pub(super) fn strings_count(args: &[Value]) -> Result<Value> {
    let [Value::String(text), Value::String(part)] = args else { return Ok(Value::Undefined) };
    let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(part.as_ref()).count() };
    Ok(Value::from(count as u64))
}

/// `count`: of a text its characters, also of those that are two units of UTF-16.
pub(super) fn count(args: &[Value]) -> Result<Value> {
    let count = match args {
        [Value::Array(items)] => items.len(),
        [Value::Set(items)] => items.len(),
        [Value::Object(fields)] => fields.len(),
        [Value::String(text)] => text.chars().count(),
        _ => bail!("a collection or text"),
    };
    Ok(Value::from(count as u64))
}

/// `object.subset`: an empty array is part of every array.
pub(super) fn object_subset(args: &[Value]) -> Result<Value> {
    if let [Value::Array(_), Value::Array(part)] = args
        && part.is_empty()
    {
        return Ok(Value::Bool(true));
    }
    call_engine("object.subset", args)
}

/// `time.parse_ns`: the engine cuts layout and text at byte positions, so both must be ASCII.
pub(super) fn time_parse_ns(args: &[Value]) -> Result<Value> {
    let is_ascii = args.iter().all(|a| matches!(a, Value::String(s) if s.is_ascii()));
    if !is_ascii {
        bail!("a layout or time that is not ASCII");
    }
    let time = call_engine("time.parse_ns", args)?;
    if time == Value::Undefined { bail!("time outside of valid range") } else { Ok(time) }
}

/// `replace`: bounded length of the result.
pub(super) fn replace(args: &[Value]) -> Result<Value> {
    if let [Value::String(text), Value::String(_), Value::String(new)] = args
        && grows_too_long(text, new.len())
    {
        return over_limit("replace");
    }
    call_engine("replace", args)
}

/// `strings.replace_n`: as Go's `strings.Replacer`, which at each place takes the first pattern that fits, in their order, and never looks
/// at what it has put in.
pub(super) fn strings_replace_n(args: &[Value]) -> Result<Value> {
    let [Value::Object(patterns), Value::String(text)] = args else { bail!("an object of patterns and a text") };
    let pairs: Result<Vec<(&str, &str)>> =
        patterns.iter().map(|(old, new)| Ok((old.as_string()?.as_ref(), new.as_string()?.as_ref()))).collect();
    let pairs = pairs?;
    let longest = pairs.iter().map(|(_, new)| new.len()).max().unwrap_or(0);
    if grows_too_long(text, longest) || text.len().saturating_mul(pairs.len()) > MAX_COMPARISONS {
        return over_limit("strings.replace_n");
    }
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = text;
    // An empty pattern comes first, so it stands before every match and every character, and at the end.
    let empty = pairs.iter().find(|(old, _)| old.is_empty()).map_or("", |(_, new)| *new);
    loop {
        out.push_str(empty);
        let fits = pairs.iter().find(|(old, _)| !old.is_empty() && rest.starts_with(old));
        if let Some((old, new)) = fits {
            out.push_str(new);
            rest = rest.get(old.len()..).unwrap_or_default();
            continue;
        }
        let Some(character) = rest.chars().next() else { return Ok(Value::from(out)) };
        out.push(character);
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
}

/// `json.is_valid`: what is no text is no JSON.
pub(super) fn json_is_valid(args: &[Value]) -> Result<Value> {
    if matches!(args, [Value::String(_)]) { call_engine("json.is_valid", args) } else { Ok(Value::Bool(false)) }
}

fn grows_too_long(text: &str, new_len: usize) -> bool {
    (text.len() + 1).saturating_mul(new_len) > MAX_TEXT_BYTES
}
