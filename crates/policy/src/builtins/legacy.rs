//! Builtins that OPA has kept for policies in Rego v0.

use anyhow::{Result, bail};
use regorus::Value;

use crate::builtins::{call_engine, re2};

/// `all(collection)`: true when all elements are `true`.
pub(super) fn all(args: &[Value]) -> Result<Value> {
    Ok(Value::Bool(match args {
        [Value::Array(items)] => items.iter().all(is_true),
        [Value::Set(items)] => items.iter().all(is_true),
        _ => bail!("an array or a set"),
    }))
}

/// `any(collection)`: true when an element is `true`.
pub(super) fn any(args: &[Value]) -> Result<Value> {
    Ok(Value::Bool(match args {
        [Value::Array(items)] => items.iter().any(is_true),
        [Value::Set(items)] => items.iter().any(is_true),
        _ => bail!("an array or a set"),
    }))
}

fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true)
}

/// `cast_array(value)`: a set as an array.
pub(super) fn cast_array(args: &[Value]) -> Result<Value> {
    match args {
        [array @ Value::Array(_)] => Ok(array.clone()),
        [Value::Set(items)] => Ok(Value::from(items.iter().cloned().collect::<Vec<_>>())),
        _ => bail!("an array or a set"),
    }
}

/// `cast_set(value)`: an array as a set.
pub(super) fn cast_set(args: &[Value]) -> Result<Value> {
    match args {
        [set @ Value::Set(_)] => Ok(set.clone()),
        [Value::Array(items)] => Ok(Value::from(items.iter().cloned().collect::<std::collections::BTreeSet<_>>())),
        _ => bail!("an array or a set"),
    }
}

macro_rules! casts {
    ($($function:ident $name:literal ($kind:pat);)+) => {
        $(
            #[doc = concat!("`", $name, "(value)`: the value, when it is of that type.")]
            pub(super) fn $function(args: &[Value]) -> Result<Value> {
                match args {
                    [value @ $kind] => Ok(value.clone()),
                    _ => bail!("a value of another type"),
                }
            }
        )+
    };
}

casts! {
    cast_boolean "cast_boolean" (Value::Bool(_));
    cast_null "cast_null" (Value::Null);
    cast_object "cast_object" (Value::Object(_));
    cast_string "cast_string" (Value::String(_));
}

/// `re_match(pattern, text)`: the old name of `regex.match`.
pub(super) fn re_match(args: &[Value]) -> Result<Value> {
    let matched = re2::regex_match(args)?;
    if matched == Value::Undefined { bail!("the pattern is none") } else { Ok(matched) }
}

/// `set_diff(first, second)`: what `first - second` says now.
pub(super) fn set_diff(args: &[Value]) -> Result<Value> {
    let [Value::Set(first), Value::Set(second)] = args else { bail!("two sets") };
    let rest = first.iter().filter(|item| !second.contains(item)).cloned();
    Ok(Value::from(rest.collect::<std::collections::BTreeSet<_>>()))
}

/// `opa.runtime()`: nothing is told of the program that runs the policy.
pub(super) fn opa_runtime(_: &[Value]) -> Result<Value> {
    Ok(Value::new_object())
}

/// `uuid.parse(text)`: whatever stands around an identifier of 38 characters is taken away, as OPA's library does.
pub(super) fn uuid_parse(args: &[Value]) -> Result<Value> {
    let [Value::String(text)] = args else { bail!("a text") };
    let inner = (text.len() == 38).then(|| text.get(1..37)).flatten();
    inner.map_or_else(|| call_engine("uuid.parse", args), |inner| call_engine("uuid.parse", &[Value::from(inner)]))
}
