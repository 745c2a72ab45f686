//! `base64.*`, `base64url.decode` and `hex.decode` as Go reads them.
//!
//! A text of the engine is UTF-8. OPA also makes texts of other bytes; here such a call is undefined, since a text
//! with replacement characters would be equal for different bytes.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use regorus::Value;

/// Padding is demanded; bits behind the last byte are not looked at.
const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    GeneralPurpose::new(alphabet, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true))
}

const BASE64: GeneralPurpose = lenient(&STANDARD);
const BASE64URL: GeneralPurpose = lenient(&URL_SAFE);

/// `base64.decode(text)`.
pub(super) fn base64_decode(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    utf8(BASE64.decode(one_line(text))?)
}

/// `base64.is_valid(text)`.
pub(super) fn base64_is_valid(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    Ok(Value::Bool(BASE64.decode(one_line(text)).is_ok()))
}

/// `base64url.decode(text)`, with or without padding.
pub(super) fn base64url_decode(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    utf8(base64url(text)?)
}

/// The bytes of a text in base64url. Padding may be left away, but not half of it.
pub(super) fn base64url(text: &str) -> Result<Vec<u8>> {
    let missing = match text.len() % 4 {
        _ if text.ends_with('=') => "",
        0 => "",
        2 => "==",
        3 => "=",
        _ => bail!("not base64url"),
    };
    Ok(BASE64URL.decode(one_line(text) + missing)?)
}

/// `hex.decode(text)`.
pub(super) fn hex_decode(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.context("not hex")?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        bail!("an odd number of digits");
    }
    utf8(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Line breaks are left out wherever they stand.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], "")
}

pub(super) fn utf8(bytes: Vec<u8>) -> Result<Value> {
    Ok(Value::from(String::from_utf8(bytes)?))
}
