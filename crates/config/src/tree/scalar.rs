//! What an unquoted scalar means: the core schema of YAML 1.2.2 §10.3.

/// A scalar with its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
}

/// The value of a scalar. `yes`, `no`, `on` and `off` are text, as YAML 1.2 says.
pub(crate) fn resolve(text: &str, plain: bool) -> Scalar<'_> {
    if !plain {
        return Scalar::Text(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        _ => number(text).unwrap_or(Scalar::Text(text)),
    }
}

fn number(text: &str) -> Option<Scalar<'_>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Scalar::Unsigned);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Scalar::Unsigned);
    }
    if let Ok(value) = text.parse() {
        return Some(Scalar::Unsigned(value));
    }
    if let Ok(value) = text.parse() {
        return Some(Scalar::Signed(value));
    }
    let is_float = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    let value = text.parse::<f64>().ok().filter(|_| is_float)?;
    value.is_finite().then_some(Scalar::Float(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_scalars_follow_the_core_schema() {
        for (text, want) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("true", Scalar::Bool(true)),
            ("no", Scalar::Text("no")),
            ("30", Scalar::Unsigned(30)),
            ("-1", Scalar::Signed(-1)),
            ("0x1F", Scalar::Unsigned(31)),
            ("0o17", Scalar::Unsigned(15)),
            ("1.5", Scalar::Float(1.5)),
            ("30/minute", Scalar::Text("30/minute")),
            ("10.0.0.0/8", Scalar::Text("10.0.0.0/8")),
            ("127.0.0.1", Scalar::Text("127.0.0.1")),
            ("1e999", Scalar::Text("1e999")),
            (".inf", Scalar::Text(".inf")),
            ("nan", Scalar::Text("nan")),
        ] {
            assert_eq!(resolve(text, true), want, "{text}");
        }
        assert_eq!(resolve("30", false), Scalar::Text("30"));
    }
}
