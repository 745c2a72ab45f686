//! The headers that say how a body is to be read.

use model::Header;
use serde_json::Value;

use crate::input::source::Source;

/// Where they are looked up.
pub(super) enum Headers<'s, 'a> {
    /// In the list that everybody sees.
    Seen(&'s [Header<'a>]),
    /// In the map as it came: the plugin knows neither `header_map` nor names in another case.
    Map(Value),
}

impl<'s, 'a> Headers<'s, 'a> {
    pub(super) fn of(source: &'s Source<'a, '_>) -> Self {
        let view = source.view();
        if !source.is_received() || view.has_plain_headers() {
            return Self::Seen(source.headers());
        }
        Self::Map(view.attribute(&["request", "http", "headers"]).unwrap_or_default())
    }

    /// The first value of a header; `name` in lower case.
    pub(super) fn find(&self, name: &str) -> Option<&[u8]> {
        match self {
            Self::Seen(headers) => headers.iter().find(|h| h.name == name).map(|h| h.value),
            Self::Map(map) => map.get(name).and_then(Value::as_str).map(str::as_bytes),
        }
    }
}
