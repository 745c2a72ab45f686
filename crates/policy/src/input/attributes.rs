//! `input.attributes`: the ext_authz `AttributeContext` with protobuf's names in lowerCamelCase; only what is set
//! is there (reference: opa-envoy-plugin `envoyauth/protomap.go`).

use base64::Engine as _;
use model::Peer;
use regorus::Value;
use regorus::value::Object;

use crate::input::Source;
use crate::input::keys::{Keys, header_name};
use crate::input::plan::{AttributesPlan, Headers, HttpPlan};

/// `input.attributes`.
pub(super) fn build(plan: &AttributesPlan, source: &Source<'_, '_>, keys: &Keys) -> Value {
    let view = source.view();
    let mut attributes = match &plan.others {
        None => match view.attribute(&[]).map(Value::from) {
            Some(Value::Object(all)) => Object::clone(&all),
            _ => Object::new(),
        },
        Some(names) => {
            let mut some = Object::new();
            for name in names {
                if let Some(value) = view.attribute(&[name]) {
                    some.insert(Value::from(name.as_str()), Value::from(value));
                }
            }
            some
        }
    };
    // Never as received: the request part is built from sanitised headers below.
    attributes.remove(&keys.request);
    if let Some(peer) = plan.source.then(|| peer(view.source(), view.attribute(&["source"]), keys)).flatten() {
        attributes.insert(keys.source.clone(), peer);
    }
    if let Some(peer) =
        plan.destination.then(|| peer(view.destination(), view.attribute(&["destination"]), keys)).flatten()
    {
        attributes.insert(keys.destination.clone(), peer);
    }
    if source.is_unusual() && (plan.http.any || plan.time) {
        if let Some(request) = view.attribute(&["request"]) {
            attributes.insert(keys.request.clone(), Value::from(request));
        }
    } else if plan.http.any || plan.time {
        let mut request = Object::new();
        if let Some((seconds, nanos)) = view.http().time.filter(|_| plan.time) {
            request.insert(keys.time.clone(), time(seconds, nanos, keys));
        }
        request.insert(keys.http.clone(), http(&plan.http, source, keys));
        attributes.insert(keys.request.clone(), request.into_value());
    }
    attributes.into_value()
}

fn time(seconds: i64, nanos: i32, keys: &Keys) -> Value {
    let mut time = Object::new();
    if seconds != 0 {
        time.insert(keys.seconds.clone(), Value::from(seconds));
    }
    if nanos != 0 {
        time.insert(keys.nanos.clone(), Value::from(i64::from(nanos)));
    }
    time.into_value()
}

/// The parts known to the view come from it; what else there is (`service`, `labels`, …) is taken as received. `None` for a peer that
/// is not there.
fn peer(peer: &Peer<'_>, received: Option<serde_json::Value>, keys: &Keys) -> Option<Value> {
    let is_there = received.is_some();
    let mut object = match received.map(Value::from) {
        Some(Value::Object(all)) => Object::clone(&all),
        _ => Object::new(),
    };
    if !peer.address.is_empty() && !object.contains_key(&keys.address) {
        let mut socket = Object::new();
        socket.insert(keys.address.clone(), Value::from(peer.address));
        if peer.port != 0 {
            socket.insert(keys.port_value.clone(), Value::from(u64::from(peer.port)));
        }
        let mut address = Object::new();
        address.insert(keys.socket_address.clone(), socket.into_value());
        object.insert(keys.address.clone(), address.into_value());
    }
    put_text(&mut object, &keys.principal, peer.principal);
    put_text(&mut object, &keys.certificate, peer.certificate);
    (is_there || !object.is_empty()).then(|| object.into_value())
}

fn http(plan: &HttpPlan, source: &Source<'_, '_>, keys: &Keys) -> Value {
    let received = source.view().http();
    let read = &plan.fields;
    let mut http = Object::new();
    let texts: [(bool, &Value, &str); 7] = [
        (read.id, &keys.id, received.id),
        (read.method, &keys.method, received.method),
        (read.host, &keys.host, source.host()),
        (read.scheme, &keys.scheme, source.scheme()),
        (read.query, &keys.query, received.query),
        (read.fragment, &keys.fragment, received.fragment),
        (read.protocol, &keys.protocol, received.protocol),
    ];
    for (_, key, text) in texts.into_iter().filter(|(is_read, ..)| *is_read) {
        put_text(&mut http, key, text);
    }
    if read.path {
        put_text(&mut http, &keys.path, &source.full_path());
    }
    if read.size && received.size != 0 {
        http.insert(keys.size.clone(), Value::from(received.size));
    }
    if read.body && !received.body.is_empty() {
        if received.body_is_raw {
            let encoded = base64::engine::general_purpose::STANDARD.encode(received.body);
            http.insert(keys.raw_body.clone(), Value::from(encoded));
        } else {
            http.insert(keys.body.clone(), Value::from(String::from_utf8_lossy(received.body).as_ref()));
        }
    }
    if read.body && source.is_received() {
        put_text(&mut http, &keys.body, received.text_body);
    }
    if let Some(headers) = headers(&plan.headers, source) {
        http.insert(keys.headers.clone(), headers);
    }
    http.into_value()
}

/// `headers`: several values of one name are joined with commas, as Envoy does.
fn headers(plan: &Headers, source: &Source<'_, '_>) -> Option<Value> {
    // Without headers there is no object, whatever is read of it.
    if source.headers().is_empty() {
        return None;
    }
    let mut object = Object::new();
    match plan {
        Headers::None => return None,
        Headers::Named(names) => {
            for name in names {
                if let Some(value) = joined(source, name) {
                    object.insert(header_name(name), value);
                }
            }
        }
        Headers::All => {
            let all = source.headers();
            for (index, header) in all.iter().enumerate() {
                let is_first = !all.iter().take(index).any(|h| h.name == header.name);
                if let Some(value) = is_first.then(|| joined(source, header.name)).flatten() {
                    object.insert(header_name(header.name), value);
                }
            }
        }
    }
    Some(object.into_value())
}

fn joined(source: &Source<'_, '_>, name: &str) -> Option<Value> {
    let mut values = source.header_values(name);
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(Value::from(String::from_utf8_lossy(first).as_ref()));
    };
    let mut text = String::from_utf8_lossy(first).into_owned();
    for value in std::iter::once(second).chain(values) {
        text.push(',');
        text.push_str(&String::from_utf8_lossy(value));
    }
    Some(Value::from(text))
}

fn put_text(object: &mut Object, key: &Value, text: &str) {
    if !text.is_empty() {
        object.insert(key.clone(), Value::from(text));
    }
}
