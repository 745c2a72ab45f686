//! `to_number`: texts are read as by Go's `strconv.ParseFloat`, whole and without white space.
//!
//! So `+1`, `01`, `.5`, `5.`, `1_000` and `0x1p3` are numbers, too. OPA keeps them as they are written, and fails where
//! such a number has to be written as JSON; the engine does not know how a number was written, and writes its value.

use anyhow::{Context as _, Result, bail};
use regorus::Value;

/// `to_number(value)`.
pub(super) fn to_number(args: &[Value]) -> Result<Value> {
    match args {
        [Value::Null] => Ok(Value::from(0_u64)),
        [Value::Bool(yes)] => Ok(Value::from(u64::from(*yes))),
        [number @ Value::Number(_)] => Ok(number.clone()),
        [Value::String(text)] => read(text),
        _ => bail!("null, a boolean, a number or a text"),
    }
}

fn read(text: &str) -> Result<Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    // An underscore stands between two digits, or behind the sign of hexadecimal numbers.
    let part = hexadecimal.map_or(digits, |part| part.strip_prefix('_').unwrap_or(part));
    check_underscores(part, hexadecimal.is_some())?;
    let part = part.replace('_', "");
    match hexadecimal {
        Some(_) => {
            let number = read_hexadecimal(&part).filter(|number| number.is_finite()).context("no number")?;
            Ok(Value::from(if sign.is_empty() { number } else { -number }))
        }
        None => {
            let json = format!("{sign}{}", as_json(&part).context("no number")?);
            // What has more digits than doubles stays exact here, but what is beyond doubles is refused there.
            if are_digits(&part) && part.len() < 300 {
                return Value::from_numeric_string(&json);
            }
            Value::from_json_str(&json)
        }
    }
}

fn check_underscores(text: &str, is_hexadecimal: bool) -> Result<()> {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_digit(if is_hexadecimal { 16 } else { 10 }));
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '_' && !(is_digit(before) && is_digit(characters.peek().copied())) {
            bail!("an underscore that is not between digits");
        }
        before = Some(character);
    }
    Ok(())
}

/// A decimal number in the form that JSON has for it.
fn as_json(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let mut out = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    if !fraction.is_empty() {
        out = format!("{out}.{fraction}");
    }
    if let Some(exponent) = exponent {
        out = format!("{out}e{}", checked_exponent(exponent)?);
    }
    Some(out)
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn checked_exponent(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (!digits.is_empty() && are_digits(digits)).then_some(text)
}

/// `1.8p3`: the exponent of two has to be there.
fn read_hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = checked_exponent(exponent)?.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut value: u128 = 0;
    let mut shift = exponent;
    for (place, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u128::from(digit.to_digit(16)?);
        let of_fraction = place >= whole.len();
        // Digits that do not fit are far beyond what a double holds.
        if value >> 120 == 0 {
            value = value << 4 | digit;
            shift = shift.checked_sub(if of_fraction { 4 } else { 0 })?;
        } else if !of_fraction {
            shift = shift.checked_add(4)?;
        }
    }
    // In two steps: the power alone may be out of range where the number is not.
    let half = shift.clamp(-2200, 2200) / 2;
    Some(value as f64 * 2_f64.powi(half) * 2_f64.powi(shift.clamp(-2200, 2200) - half))
}
