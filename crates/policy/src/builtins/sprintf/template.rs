//! `internal.template_string`: what a template string in a policy becomes.

use anyhow::{Result, bail};
use regorus::Value;

use super::MAX_TEXT_BYTES;
use super::text::term;
use crate::builtins::limit::over_limit;

/// `internal.template_string(parts)`: texts as they are, and for each expression the set of its values, none or one.
pub(in crate::builtins) fn template_string(args: &[Value]) -> Result<Value> {
    let [Value::Array(parts)] = args else { bail!("an array") };
    let mut out = String::new();
    for part in parts.iter() {
        if out.len() > MAX_TEXT_BYTES {
            return over_limit("a template string");
        }
        let Value::Set(values) = part else {
            out.push_str(&bare(part));
            continue;
        };
        let mut values = values.iter();
        match (values.next(), values.next()) {
            (None, _) => out.push_str("<undefined>"),
            (Some(value), None) => out.push_str(&bare(value)),
            (Some(_), Some(_)) => bail!("template-strings must not produce multiple outputs"),
        }
    }
    Ok(Value::from(out))
}

/// A text without quotes, any other value as in Rego.
fn bare(value: &Value) -> String {
    if let Value::String(text) = value { text.as_ref().to_owned() } else { term(value) }
}
