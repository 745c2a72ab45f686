//! Numbers of JSON.

use regorus::Value;

use super::read::{cut, invalid, take};

/// The longest integer that is kept exactly: no double has more digits.
const MAX_DIGITS: usize = 310;

const TOO_GREAT: &str = "JSON body has a number that is too great";

/// Reads a number that begins here.
pub(super) fn read<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let start = *rest;
    if rest.first() == Some(&b'-') {
        take(rest)?;
    }
    match take(rest)? {
        b'0' => {}
        b'1'..=b'9' => skip_digits(rest),
        other => return Err(invalid(other, "in numeric literal")),
    }
    if rest.first() == Some(&b'.') {
        take(rest)?;
        digits(rest, "after decimal point in numeric literal")?;
    }
    if let Some(b'e' | b'E') = rest.first() {
        take(rest)?;
        if let Some(b'+' | b'-') = rest.first() {
            take(rest)?;
        }
        digits(rest, "in exponent of numeric literal")?;
    }
    start.get(..start.len() - rest.len()).ok_or_else(cut)
}

/// One digit or more.
fn digits(rest: &mut &[u8], place: &str) -> Result<(), String> {
    match take(rest)? {
        b'0'..=b'9' => skip_digits(rest),
        other => return Err(invalid(other, place)),
    }
    Ok(())
}

fn skip_digits(rest: &mut &[u8]) {
    while let Some((b'0'..=b'9', after)) = rest.split_first() {
        *rest = after;
    }
}

/// The value of a number as it is written.
pub(super) fn value(literal: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(literal).map_err(|_not_text| TOO_GREAT)?;
    if text == "-0" {
        return Ok(Value::from(-0.0));
    }
    if let Ok(small) = text.parse::<u64>() {
        return Ok(Value::from(small));
    }
    if let Ok(small) = text.parse::<i64>() {
        return Ok(Value::from(small));
    }
    // What is beyond doubles could be kept but not written out again, neither for answers nor for the decision log.
    let double = text.parse::<f64>().ok().filter(|double| double.is_finite()).ok_or(TOO_GREAT)?;
    let is_integer = text.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
    let value = if is_integer && text.len() <= MAX_DIGITS {
        Value::from_numeric_string(text).map_err(|_no_integer| TOO_GREAT)?
    } else {
        Value::from(double)
    };
    // The engine fails to write some of the greatest doubles.
    if double.abs() >= 1e308 && serde_json::to_value(&value).is_err() {
        return Err(TOO_GREAT.to_owned());
    }
    Ok(value)
}
