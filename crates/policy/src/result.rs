//! From the value of a policy to a decision, by the rules of opa-envoy-plugin (`envoyauth/response.go`).
//!
//! A boolean, or an object with `allowed`. Keys that do not apply to the outcome are not looked at. What the
//! plugin would pass on and Envoy or a client could misread is refused here: a denial with a status that means
//! success, header names and values that are not valid, and names that only Gatehouse may set.

use model::{Allowed, Challenge, Denial, HeaderEdit, Reason};
use regorus::Value;
use serde_json::{Map, Value as Json};

use crate::set::{LimitSteer, PolicyAllow};

/// The most header values, query parameters and names to remove that a policy may give.
const MAX_EDITS: usize = 100;
/// The longest body of a denial.
const MAX_BODY_BYTES: usize = 64 << 10;

/// A decision of a policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// Let through, with changes.
    Allow(PolicyAllow),
    /// Refused.
    Deny(Denial),
}

/// Reads the value of an entry point. Everything that is no clear decision is a denial.
pub(crate) fn decide(value: &Value) -> Decision {
    match value {
        Value::Bool(true) => Decision::Allow(PolicyAllow::default()),
        Value::Bool(false) => Decision::Deny(Denial::new(Reason::PolicyDenied)),
        Value::Undefined => Decision::Deny(Denial::new(Reason::PolicyUndefined)),
        Value::Object(_) => {
            from_object(value).unwrap_or_else(|what| Decision::Deny(Denial::new(Reason::PolicyFailed).because(what)))
        }
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Set(_) => Decision::Deny(
            Denial::new(Reason::PolicyFailed).because("the policy gave a value that is neither boolean nor object"),
        ),
    }
}

fn from_object(value: &Value) -> Result<Decision, String> {
    if holds_undefined(value) {
        return Err("the decision holds an undefined value".to_owned());
    }
    let allowed = match get(value, "allowed") {
        Some(Value::Bool(allowed)) => *allowed,
        Some(_) => return Err("`allowed` is not a boolean".to_owned()),
        None => return Err("the decision has no key `allowed`".to_owned()),
    };
    let metadata = match get(value, "dynamic_metadata") {
        None => None,
        Some(v @ Value::Object(_)) => Some(json_object(v)?),
        Some(_) => return Err("`dynamic_metadata` is not an object".to_owned()),
    };
    let headers = headers(value, "headers")?;
    if allowed { allow(value, headers, metadata) } else { deny(value, headers, metadata) }
}

fn allow(
    value: &Value,
    headers: Vec<(String, String)>,
    metadata: Option<Map<String, Json>>,
) -> Result<Decision, String> {
    let headers = edits(headers);
    let mut headers_to_remove = Vec::new();
    for name in strings(value, "request_headers_to_remove")? {
        let name = header_name(&name)?;
        // Envoy removes after it sets: a name in both would be gone.
        if !headers.iter().any(|h| h.name == name) {
            headers_to_remove.push(name.into());
        }
    }
    let response_headers = edits(self::headers(value, "response_headers_to_add")?);
    let query_set = match get(value, "query_parameters_to_set") {
        None => Vec::new(),
        Some(object) => pairs(object, "query_parameters_to_set")?,
    };
    let query_remove = strings(value, "query_parameters_to_remove")?;
    let changes = Allowed { headers, headers_to_remove, response_headers, query_set, query_remove };
    let limit = get(value, "limit").map(limit).transpose()?;
    Ok(Decision::Allow(PolicyAllow { changes, metadata, limit, cached: false }))
}

/// `limit: {tier, cost, factor}`. A key that is not known could be a tier that somebody misspelt.
fn limit(value: &Value) -> Result<LimitSteer, String> {
    let Value::Object(object) = value else { return Err("`limit` is not an object".to_owned()) };
    let mut steer = LimitSteer::default();
    for (key, value) in object.iter() {
        match key.as_string().map(AsRef::as_ref) {
            Ok("tier") => {
                let tier = value.as_string().map_err(|_no_text| "`limit.tier` is not a string")?;
                steer.tier = Some(tier.as_ref().to_owned());
            }
            Ok("cost") => {
                let cost = value.as_u64().ok().filter(|cost| *cost <= MAX_COST);
                steer.cost =
                    Some(cost.ok_or_else(|| format!("`limit.cost` is not a whole number from 0 to {MAX_COST}"))?);
            }
            Ok("factor") => {
                let factor = value.as_f64().ok().filter(|factor| *factor > 0.0 && *factor <= MAX_FACTOR);
                steer.factor = Some(
                    factor.ok_or_else(|| format!("`limit.factor` is not a number above 0 and up to {MAX_FACTOR}"))?,
                );
            }
            _ => return Err(format!("`limit` has the key {key}; tier, cost and factor are known")),
        }
    }
    Ok(steer)
}

/// The most that one request may cost.
const MAX_COST: u64 = 1_000_000;
/// The most that a limit may be widened.
const MAX_FACTOR: f64 = 1_000.0;

/// The first value of a name replaces what the client sent; further ones are added to it.
fn edits(headers: Vec<(String, String)>) -> Vec<HeaderEdit> {
    let mut edits: Vec<HeaderEdit> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let append = edits.iter().any(|e| e.name == name);
        edits.push(HeaderEdit { name: name.into(), value, append });
    }
    edits
}

fn deny(
    value: &Value,
    headers: Vec<(String, String)>,
    metadata: Option<Map<String, Json>>,
) -> Result<Decision, String> {
    let status = match get(value, "http_status") {
        None => None,
        Some(number) => Some(denial_status(number)?),
    };
    let body = match get(value, "body") {
        None => None,
        Some(Value::String(text)) if text.len() <= MAX_BODY_BYTES => Some(text.as_ref().to_owned()),
        Some(Value::String(_)) => return Err(format!("`body` is longer than {MAX_BODY_BYTES} bytes")),
        Some(_) => return Err("`body` is not a string".to_owned()),
    };
    let challenge = get(value, "challenge").map(challenge).transpose()?;
    let reason = if challenge.is_some() { Reason::StepUpRequired } else { Reason::PolicyDenied };
    Ok(Decision::Deny(Denial { status, headers, body, metadata, challenge, ..Denial::new(reason) }))
}

/// `challenge: {acr_values, max_age}` (RFC 9470).
fn challenge(value: &Value) -> Result<Challenge, String> {
    let Value::Object(object) = value else { return Err("`challenge` is not an object".to_owned()) };
    let mut challenge = Challenge { error: Some("insufficient_user_authentication"), ..Challenge::default() };
    for (key, value) in object.iter() {
        match key.as_string().map(AsRef::as_ref) {
            Ok("acr_values") => {
                let values = texts(value).filter(|values| !values.is_empty() && values.iter().all(|v| is_acr(v)));
                let values = values.ok_or("`challenge.acr_values` is not a list of authentication contexts")?;
                bounded(values.len(), "challenge.acr_values")?;
                challenge.acr_values = Some(values.join(" ").into());
            }
            Ok("max_age") => {
                let seconds = value.as_u32().map_err(|_no_number| "`challenge.max_age` is not a number of seconds")?;
                challenge.max_age = Some(seconds);
            }
            _ => return Err(format!("`challenge` has the key {key}; acr_values and max_age are known")),
        }
    }
    Ok(challenge)
}

/// What stands in a quoted string as it is, without spaces.
fn is_acr(value: &str) -> bool {
    (1..=200).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// The statuses that Envoy's `StatusCode` has and that do not mean success.
fn denial_status(value: &Value) -> Result<u16, String> {
    let status = value.as_u16().map_err(|_no_number| format!("`http_status` {value} is not a status"))?;
    let known = matches!(status, 300..=308 | 400..=417 | 421..=424 | 426 | 428 | 429 | 431 | 500..=508 | 510 | 511)
        && status != 306;
    if known { Ok(status) } else { Err(format!("`http_status` {status} cannot be the status of a denial")) }
}

/// Headers: an object of strings or lists of strings, or a list of such objects.
fn headers(value: &Value, key: &str) -> Result<Vec<(String, String)>, String> {
    let raw = match get(value, key) {
        None => return Ok(Vec::new()),
        Some(object @ Value::Object(_)) => pairs(object, key)?,
        Some(Value::Array(list)) => collect(list.iter(), key)?,
        Some(Value::Set(list)) => collect(list.iter(), key)?,
        Some(_) => return Err(format!("`{key}` is not an object or a list of objects")),
    };
    raw.into_iter().map(|(n, v)| Ok((header_name(&n)?, header_value(&n, v)?))).collect()
}

fn collect<'v>(list: impl Iterator<Item = &'v Value>, key: &str) -> Result<Vec<(String, String)>, String> {
    let mut all = Vec::new();
    for object in list {
        all.extend(pairs(object, key)?);
        bounded(all.len(), key)?;
    }
    Ok(all)
}

/// An object of strings or lists of strings, one pair per string.
fn pairs(object: &Value, key: &str) -> Result<Vec<(String, String)>, String> {
    let Value::Object(object) = object else { return Err(format!("`{key}` is not an object")) };
    let mut pairs = Vec::new();
    for (name, value) in object.iter_sorted() {
        let Value::String(name) = name else { return Err(format!("`{key}` has a name that is not a string")) };
        for text in texts(value).ok_or_else(|| format!("`{key}` has a value that is not a string"))? {
            pairs.push((name.as_ref().to_owned(), text));
        }
        bounded(pairs.len(), key)?;
    }
    Ok(pairs)
}

fn strings(value: &Value, key: &str) -> Result<Vec<String>, String> {
    let list = match get(value, key) {
        None => return Ok(Vec::new()),
        Some(list @ (Value::Array(_) | Value::Set(_))) => texts(list),
        Some(_) => None,
    };
    let list = list.ok_or_else(|| format!("`{key}` is not a list of strings"))?;
    bounded(list.len(), key)?;
    Ok(list)
}

/// A string, or the strings of a list.
fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |v: &Value| v.as_string().ok().map(|s| s.as_ref().to_owned());
    match value {
        Value::String(_) => text(value).map(|t| vec![t]),
        Value::Array(list) => list.iter().map(text).collect(),
        Value::Set(list) => list.iter_sorted().map(text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Undefined => None,
    }
}

fn bounded(len: usize, key: &str) -> Result<(), String> {
    if len > MAX_EDITS { Err(format!("`{key}` has more than {MAX_EDITS} entries")) } else { Ok(()) }
}

/// A valid field name (RFC 9110 §5.1) in lower case; no pseudo-header, and none that only Gatehouse sets.
fn header_name(name: &str) -> Result<String, String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > 256 || !name.bytes().all(is_token) {
        return Err("the policy gave a header name that is not valid".to_owned());
    }
    if lower.replace('_', "-") == "x-request-id" || lower == "host" {
        return Err(format!("a policy may not set or remove {lower}"));
    }
    Ok(lower)
}

/// A valid field value (RFC 9110 §5.5).
fn header_value(name: &str, value: String) -> Result<String, String> {
    let is_valid = value.len() <= 16 << 10 && value.bytes().all(|b| b == b'\t' || (b >= 0x20 && b != 0x7f));
    if is_valid { Ok(value) } else { Err(format!("the policy gave header {name} a value that is not valid")) }
}

/// True when the engine left a hole in the value.
fn holds_undefined(value: &Value) -> bool {
    match value {
        Value::Undefined => true,
        Value::String(text) => text.as_ref() == "<undefined>",
        Value::Array(list) => list.iter().any(holds_undefined),
        Value::Set(list) => list.iter().any(holds_undefined),
        Value::Object(object) => object.iter().any(|(k, v)| holds_undefined(k) || holds_undefined(v)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn json_object(value: &Value) -> Result<Map<String, Json>, String> {
    let text = value.to_json_str().map_err(|_unwritable| "`dynamic_metadata` is not JSON".to_owned())?;
    serde_json::from_str(&text).map_err(|_unreadable| "`dynamic_metadata` is not JSON".to_owned())
}

fn get<'v>(object: &'v Value, key: &str) -> Option<&'v Value> {
    object.as_object().ok()?.get(&Value::from(key))
}

#[cfg(test)]
mod tests;
