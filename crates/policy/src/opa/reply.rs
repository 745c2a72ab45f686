//! From the value of a policy to the answer, by the rules and in the words of opa-envoy-plugin (`envoyauth/response.go`).
//!
//! Keys that do not apply to the outcome are not looked at.

use model::{Allowed, HeaderEdit, PluginAnswer, Refusal};
use regorus::Value;
use regorus::value::Object;
use serde_json::{Map, Value as Json};

type Pairs = Vec<(String, String)>;

/// What a value says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) answer: PluginAnswer,
    pub(super) metadata: Map<String, Json>,
}

/// Reads the value of the policy.
///
/// # Errors
/// The plugin's message when it is no decision.
pub(super) fn read(value: &Value) -> Result<Said, String> {
    let answer = match value {
        Value::Bool(true) => PluginAnswer::Allow(None),
        Value::Bool(false) => PluginAnswer::Deny { message: String::new(), refusal: None },
        Value::Object(object) => return read_object(object),
        Value::Undefined => return Err("undefined decision".to_owned()),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Set(_) => {
            return Err(format!(
                "failed to get response status: illegal value for policy evaluation result: {}",
                go_type(value)
            ));
        }
    };
    Ok(Said { answer, metadata: Map::new() })
}

fn read_object(object: &Object) -> Result<Said, String> {
    let allowed = allowed(object).map_err(wrapped("status"))?;
    let headers = headers(object, "headers").map_err(wrapped("headers"))?;
    let metadata = metadata(object).map_err(|error| format!("failed to get dynamic metadata: {error}"))?;
    let answer = if allowed { allow(object, headers)? } else { deny(object, headers)? };
    Ok(Said { answer, metadata })
}

fn wrapped(what: &'static str) -> impl Fn(String) -> String {
    move |error| format!("failed to get response {what}: {error}")
}

fn allowed(object: &Object) -> Result<bool, String> {
    match get(object, "allowed") {
        None => Err("unable to determine evaluation result due to missing \"allowed\" key".to_owned()),
        Some(Value::Bool(allowed)) => Ok(*allowed),
        Some(other) => Err(expected("allowed", "boolean", other)),
    }
}

fn allow(object: &Object, headers: Pairs) -> Result<PluginAnswer, String> {
    let to_remove = strings(object, "request_headers_to_remove")
        .map_err(|error| format!("failed to get request headers to remove: {error}"))?;
    let to_add = self::headers(object, "response_headers_to_add").map_err(wrapped("headers to send to client"))?;
    let query_remove = strings(object, "query_parameters_to_remove")
        .map_err(|error| format!("failed to get request query parameters to remove: {error}"))?;
    let query_set =
        query_set(object).map_err(|error| format!("failed to get request query parameters to set: {error}"))?;
    Ok(PluginAnswer::Allow(Some(Allowed {
        headers: edits(headers),
        headers_to_remove: to_remove.into_iter().map(Into::into).collect(),
        response_headers: edits(to_add),
        query_set,
        query_remove,
    })))
}

fn deny(object: &Object, headers: Pairs) -> Result<PluginAnswer, String> {
    let body = match get(object, "body") {
        None => String::new(),
        Some(Value::String(body)) => body.as_ref().to_owned(),
        Some(other) => return Err(wrapped("body")(expected("body", "string", other))),
    };
    let status = match get(object, "http_status") {
        None => 403,
        Some(status) => http_status(status).map_err(wrapped("http status"))?,
    };
    let refusal = Refusal { status, headers: edits(headers), body };
    Ok(PluginAnswer::Deny { message: String::new(), refusal: Some(refusal) })
}

/// The statuses that both Go's `http.StatusText` and Envoy's `StatusCode` know.
fn http_status(value: &Value) -> Result<u16, String> {
    if !matches!(value, Value::Number(_)) {
        return Err(expected("http_status", "number", value));
    }
    let text = value.to_json_str().unwrap_or_default();
    let status: i64 = text.parse().map_err(|_no_integer| {
        format!("error converting JSON number to int: strconv.ParseInt: parsing {text:?}: invalid syntax")
    })?;
    let known = u16::try_from(status).ok().filter(|status| {
        matches!(status, 100 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=417 | 421..=424 | 426 | 428 | 429 | 431
            | 500..=508 | 510 | 511)
    });
    known.ok_or_else(|| format!("invalid HTTP status code {status}"))
}

fn metadata(object: &Object) -> Result<Map<String, Json>, String> {
    match get(object, "dynamic_metadata") {
        None => Ok(Map::new()),
        Some(value @ Value::Object(_)) => match to_json(value) {
            Some(Json::Object(map)) => Ok(map),
            _ => Err("the metadata is no JSON".to_owned()),
        },
        Some(other) => Err(expected("dynamic_metadata", "object", other)),
    }
}

/// Headers: an object, or a list of objects.
fn headers(object: &Object, key: &str) -> Result<Pairs, String> {
    let not_an_object = |value: &Value| expected("headers", "object", value);
    let mut pairs = Vec::new();
    match get(object, key) {
        None => {}
        Some(Value::Object(headers)) => header_pairs(headers, &mut pairs)?,
        Some(list @ (Value::Array(_) | Value::Set(_))) => {
            for item in items(list) {
                let Value::Object(headers) = item else { return Err(not_an_object(item)) };
                header_pairs(headers, &mut pairs)?;
            }
        }
        Some(other) => return Err(not_an_object(other)),
    }
    Ok(pairs)
}

fn header_pairs(headers: &Object, pairs: &mut Pairs) -> Result<(), String> {
    for (name, value) in headers.iter_sorted() {
        let name = key_text(name);
        match value {
            Value::String(text) => pairs.push((name, text.as_ref().to_owned())),
            Value::Array(_) | Value::Set(_) => {
                for item in items(value) {
                    let Value::String(text) = item else {
                        return Err(format!("invalid value type {} for header '{name}'", go_type(item)));
                    };
                    pairs.push((name.clone(), text.as_ref().to_owned()));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Undefined => {
                return Err(format!("type assertion error for header '{name}'"));
            }
        }
    }
    Ok(())
}

fn query_set(object: &Object) -> Result<Pairs, String> {
    let parameters = match get(object, "query_parameters_to_set") {
        None => return Ok(Vec::new()),
        Some(Value::Object(parameters)) => parameters,
        Some(other) => {
            let kind = go_type(other);
            return Err(format!("type assertion error, expected query_parameters_to_set to be a map but got '{kind}'"));
        }
    };
    let mut pairs = Vec::new();
    for (name, value) in parameters.iter_sorted() {
        let name = key_text(name);
        match value {
            Value::String(text) => pairs.push((name, text.as_ref().to_owned())),
            Value::Array(_) | Value::Set(_) => {
                for item in items(value) {
                    let Value::String(text) = item else {
                        let kind = go_type(item);
                        return Err(format!(
                            "type assertion error: expected array element to be string but got '{kind}'"
                        ));
                    };
                    pairs.push((name.clone(), text.as_ref().to_owned()));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Undefined => {
                let kind = go_type(value);
                return Err(format!("type assertion error, expected value to be string or array but got '{kind}'"));
            }
        }
    }
    Ok(pairs)
}

fn strings(object: &Object, key: &str) -> Result<Vec<String>, String> {
    match get(object, key) {
        None => Ok(Vec::new()),
        Some(list @ (Value::Array(_) | Value::Set(_))) => items(list)
            .map(|item| {
                let text = item.as_string().map_err(|_no_text| expected(&format!("{key} value"), "string", item))?;
                Ok(text.as_ref().to_owned())
            })
            .collect(),
        Some(other) => Err(expected(key, "[]string", other)),
    }
}

/// The first value of a name replaces what was there; further ones are added to it.
fn edits(pairs: Pairs) -> Vec<HeaderEdit> {
    let mut edits: Vec<HeaderEdit> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let append = edits.iter().any(|e| e.name == name);
        edits.push(HeaderEdit { name: name.into(), value, append });
    }
    edits
}

fn get<'v>(object: &'v Object, key: &str) -> Option<&'v Value> {
    object.get(&Value::from(key))
}

/// The items of an array or set, sets in their order.
fn items(list: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match list {
        Value::Array(list) => Box::new(list.iter()),
        Value::Set(list) => Box::new(list.iter_sorted()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) | Value::Undefined => {
            Box::new(std::iter::empty())
        }
    }
}

/// A key of an object in JSON.
fn key_text(key: &Value) -> String {
    let text = key.as_string().map(|text| text.as_ref().to_owned());
    text.unwrap_or_else(|_no_text| serde_json::to_string(key).unwrap_or_default())
}

/// A value as JSON.
pub(super) fn to_json(value: &Value) -> Option<Json> {
    serde_json::from_str(&value.to_json_str().ok()?).ok()
}

fn expected(what: &str, wanted: &str, got: &Value) -> String {
    format!("type assertion error, expected {what} to be of type '{wanted}' but got '{}'", go_type(got))
}

/// What Go calls the type of a value.
const fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Undefined => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Set(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
