//! JSON in the form that signatures of bundles are over: keys in order, no space, numbers as they were written.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// How deep values may be nested.
const MAX_DEPTH: usize = 128;

/// The canonical form of a JSON text.
pub(super) fn canonical(json: &str) -> Result<String, String> {
    let value: &RawValue = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut out = String::with_capacity(json.len());
    write(value, 0, &mut out)?;
    Ok(out)
}

fn write(value: &RawValue, depth: usize, out: &mut String) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    let text = value.get();
    let wrong = |error: serde_json::Error| error.to_string();
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(wrong)?;
            out.push('{');
            for (number, (key, field)) in fields.into_iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                string(&key, out)?;
                out.push(':');
                write(field, depth + 1, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
            out.push('[');
            for (number, item) in items.into_iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write(item, depth + 1, out)?;
            }
            out.push(']');
        }
        Some(b'"') => string(&serde_json::from_str::<String>(text).map_err(wrong)?, out)?,
        _ => out.push_str(text),
    }
    Ok(())
}

/// As Go's encoder writes strings when it need not care for HTML.
fn string(text: &str, out: &mut String) -> Result<(), String> {
    let quoted = serde_json::to_string(text).map_err(|error| error.to_string())?;
    out.push_str(&quoted.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"));
    Ok(())
}
