//! Newer builtins on texts and arrays.

use anyhow::{Result, bail};
use regorus::Value;

use crate::builtins::limit::over_limit;

/// The most places and bytes that `indexof_n` may compare.
const MAX_COMPARISONS: usize = 64 << 20;

/// `array.flatten(array)`: arrays in it are opened, one level deep.
pub(super) fn array_flatten(args: &[Value]) -> Result<Value> {
    let [Value::Array(items)] = args else { bail!("an array") };
    let mut flat = Vec::new();
    for item in items.iter() {
        match item {
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Set(_)
            | Value::Object(_)
            | Value::Undefined => flat.push(item.clone()),
        }
    }
    Ok(Value::from(flat))
}

/// `strings.split_n(text, delimiter, n)`: the first `n` parts, or with a negative `n` the last ones.
pub(super) fn strings_split_n(args: &[Value]) -> Result<Value> {
    let [Value::String(text), Value::String(delimiter), count] = args else { bail!("two texts and a number") };
    let count = count.as_i64()?;
    let most = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let parts: Vec<Value> = if delimiter.is_empty() {
        text.chars().map(|character| Value::from(character.to_string())).collect()
    } else {
        text.split(delimiter.as_ref()).map(Value::from).collect()
    };
    let skipped = if count < 0 { parts.len().saturating_sub(most) } else { 0 };
    Ok(Value::from(parts.into_iter().skip(skipped).take(most).collect::<Vec<_>>()))
}

/// `indexof(text, part)`: the place of the first, counted in characters. An empty part has no place.
pub(super) fn indexof(args: &[Value]) -> Result<Value> {
    let (text, part) = text_and_part(args)?;
    let place = text.find(part).and_then(|at| text.get(..at)).map(|before| before.chars().count());
    place.map_or(Ok(Value::from(-1_i64)), |place| Ok(Value::from(u64::try_from(place)?)))
}

/// `indexof_n(text, part)`: the places of all, also of those that overlap.
pub(super) fn indexof_n(args: &[Value]) -> Result<Value> {
    let (text, part) = text_and_part(args)?;
    if text.len().saturating_mul(part.len()) > MAX_COMPARISONS {
        return over_limit("indexof_n");
    }
    let places = text.char_indices().zip(0_u64..);
    let found = places.filter(|((at, _), _)| text.get(*at..).is_some_and(|rest| rest.starts_with(part)));
    Ok(Value::from(found.map(|(_, place)| Value::from(place)).collect::<Vec<_>>()))
}

fn text_and_part(args: &[Value]) -> Result<(&str, &str)> {
    match args {
        [Value::String(_), Value::String(part)] if part.is_empty() => bail!("empty search character"),
        [Value::String(text), Value::String(part)] => Ok((text, part)),
        _ => bail!("two texts"),
    }
}
