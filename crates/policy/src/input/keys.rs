//! Names in `input`, made once per thread: a clone is a count, and no other thread shares the count.

use std::cell::RefCell;

use hashbrown::HashMap;
use regorus::Value;

/// The most header names remembered per thread; more are made anew each time.
const MAX_HEADER_NAMES: usize = 512;
/// The longest header name that is remembered.
const MAX_HEADER_NAME_BYTES: usize = 64;

macro_rules! keys {
    ($($field:ident = $name:literal),+ $(,)?) => {
        /// Key values by name.
        pub(super) struct Keys {
            $(#[doc = $name] pub(super) $field: Value,)+
            /// The constant value of `version`.
            pub(super) version_value: Value,
        }

        impl Keys {
            fn new() -> Self {
                let version_value =
                    Value::from(serde_json::json!({ "ext_authz": "v3", "encoding": "protojson" }));
                Self { $($field: Value::from($name),)+ version_value }
            }
        }
    };
}

keys! {
    attributes = "attributes", version = "version", parsed_path = "parsed_path", parsed_query = "parsed_query",
    parsed_body = "parsed_body", truncated_body = "truncated_body", source_principal = "source_principal",
    principal = "principal", route = "route", request = "request", http = "http", time = "time",
    seconds = "seconds", nanos = "nanos", id = "id", method = "method", headers = "headers", path = "path",
    host = "host", scheme = "scheme", query = "query", fragment = "fragment", size = "size",
    protocol = "protocol", body = "body", raw_body = "rawBody", source = "source", destination = "destination",
    address = "address", socket_address = "socketAddress", port_value = "portValue", certificate = "certificate",
}

thread_local! {
    static KEYS: Keys = Keys::new();
    static HEADER_NAMES: RefCell<HashMap<Box<str>, Value, foldhash::fast::RandomState>> =
        RefCell::new(HashMap::default());
}

/// Lends this thread's keys.
pub(super) fn with<R>(use_keys: impl FnOnce(&Keys) -> R) -> R {
    KEYS.with(use_keys)
}

/// The key for a header name.
pub(super) fn header_name(name: &str) -> Value {
    HEADER_NAMES.with_borrow_mut(|names| {
        if let Some(key) = names.get(name) {
            return key.clone();
        }
        let key = Value::from(name);
        if names.len() < MAX_HEADER_NAMES && name.len() <= MAX_HEADER_NAME_BYTES {
            names.insert(name.into(), key.clone());
        }
        key
    })
}
