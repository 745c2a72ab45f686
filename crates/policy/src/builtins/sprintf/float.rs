//! Floating point numbers: `%e`, `%f`, `%g`.

use super::{Flags, text};

/// `None` for a verb that is none of floating point numbers.
pub(super) fn print(number: f64, verb: char, flags: Flags) -> Option<String> {
    let magnitude = number.abs();
    let digits = match verb {
        'f' | 'F' => format!("{magnitude:.*}", flags.precision.unwrap_or(6)),
        'e' | 'E' => exponential(magnitude, Some(flags.precision.unwrap_or(6))),
        'g' | 'G' | 'v' => general(magnitude, flags),
        _ => return None,
    };
    let digits = if verb.is_ascii_uppercase() { digits.to_ascii_uppercase() } else { digits };
    let sign = match (number.is_sign_negative(), flags.plus, flags.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    if flags.zero && !flags.minus {
        let width = flags.width.map(|width| width.saturating_sub(sign.len()));
        return Some(format!("{sign}{}", text::pad(digits, Flags { width, ..flags })));
    }
    Some(text::pad(format!("{sign}{digits}"), flags))
}

/// `1.5e+06`: an exponent of at least two digits. Without a precision, as many digits as tell the number from others.
fn exponential(number: f64, precision: Option<usize>) -> String {
    let written = precision.map_or_else(|| format!("{number:e}"), |precision| format!("{number:.precision$e}"));
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// The shorter of the two forms. The exponent is used below -4 and from the precision on.
fn general(number: f64, flags: Flags) -> String {
    let significant = flags.precision.map(|precision| precision.max(1));
    let written = exponential(number, significant.map(|digits| digits - 1));
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let digits =
        if digits.contains('.') && !flags.sharp { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    let most = match significant {
        None => 6,
        // As many digits as there are before the point need no exponent.
        Some(wanted) if wanted > count && count as i64 > exponent => count,
        Some(wanted) => wanted,
    };
    let limit = if flags.sharp { significant.unwrap_or(6) } else { most };
    let text = if exponent < -4 || exponent >= limit as i64 {
        let (_, exponent) = written.split_once('e').unwrap_or((&written, "+00"));
        format!("{digits}e{exponent}")
    } else {
        let decimals = usize::try_from((count as i64 - 1 - exponent).max(0)).unwrap_or(0);
        format!("{number:.decimals$}")
    };
    if flags.sharp { with_zeros(&text, significant.unwrap_or(6)) } else { text }
}

/// `#` keeps the point, and zeros up to the precision.
fn with_zeros(text: &str, significant: usize) -> String {
    let (digits, exponent) = text.find('e').and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
    let point = if digits.contains('.') { "" } else { "." };
    let count = digits.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count().max(1);
    format!("{digits}{point}{}{exponent}", "0".repeat(significant.saturating_sub(count)))
}
