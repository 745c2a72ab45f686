//! What a listener's peer may state about a request.

use model::{Header, HttpFields, Peer, RequestView};
use serde_json::Value;

/// Which attributes are believed. Whoever reaches the port can claim any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// `source.address`.
    pub source_address: bool,
    /// `source.principal` and `source.certificate`.
    pub source_principal: bool,
    /// `metadataContext` and `routeMetadataContext`.
    pub metadata: bool,
    /// `contextExtensions`.
    pub context_extensions: bool,
}

impl Default for Trust {
    fn default() -> Self {
        Self { source_address: true, source_principal: true, metadata: false, context_extensions: false }
    }
}

impl Trust {
    const fn believes(self, key: &str) -> bool {
        match key.as_bytes() {
            b"metadataContext" | b"routeMetadataContext" => self.metadata,
            b"contextExtensions" => self.context_extensions,
            _ => true,
        }
    }
}

/// A request without what its listener does not believe.
pub(crate) struct TrustedView<'a> {
    inner: &'a dyn RequestView,
    trust: Trust,
    source: Peer<'a>,
}

impl<'a> TrustedView<'a> {
    pub(crate) fn new(inner: &'a dyn RequestView, trust: Trust) -> Self {
        let mut source = *inner.source();
        if !trust.source_address {
            (source.address, source.port) = ("", 0);
        }
        if !trust.source_principal {
            (source.principal, source.certificate) = ("", "");
        }
        Self { inner, trust, source }
    }

    /// Takes away what is not believed from a value that was built under `path`.
    fn filter(&self, path: &[&str], value: &mut Value) {
        let Value::Object(map) = value else { return };
        match path {
            [] => {
                map.retain(|key, _| self.trust.believes(key));
                if let Some(source) = map.get_mut("source") {
                    self.filter(&["source"], source);
                }
            }
            ["source"] => map.retain(|key, _| match key.as_str() {
                "address" => self.trust.source_address,
                "principal" | "certificate" => self.trust.source_principal,
                _ => true,
            }),
            _ => {}
        }
    }
}

impl RequestView for TrustedView<'_> {
    fn http(&self) -> &HttpFields<'_> {
        self.inner.http()
    }

    fn headers(&self) -> &[Header<'_>] {
        self.inner.headers()
    }

    fn source(&self) -> &Peer<'_> {
        &self.source
    }

    fn destination(&self) -> &Peer<'_> {
        self.inner.destination()
    }

    fn attribute(&self, path: &[&str]) -> Option<Value> {
        let believed = match path {
            ["source", "address", ..] => self.trust.source_address,
            ["source", "principal" | "certificate", ..] => self.trust.source_principal,
            [first, ..] => self.trust.believes(first),
            [] => true,
        };
        if !believed {
            return None;
        }
        let mut value = self.inner.attribute(path)?;
        self.filter(path, &mut value);
        Some(value)
    }
}
