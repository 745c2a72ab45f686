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

#[cfg(test)]
mod tests {
    use model::OwnedRequest;
    use serde_json::json;

    use super::*;

    fn request() -> OwnedRequest {
        let attributes = json!({
            "source": { "address": "1.2.3.4", "principal": "spiffe://x/y", "certificate": "c", "service": "s" },
            "contextExtensions": { "route": "x" },
            "metadataContext": { "filterMetadata": {} },
            "request": { "time": 1 },
        });
        let mut request =
            OwnedRequest { source_principal: "spiffe://x/y".to_owned(), ..OwnedRequest::get("a.test", "/") };
        request.attributes.extend(attributes.as_object().unwrap().clone());
        request
    }

    const NOTHING: Trust =
        Trust { source_address: false, source_principal: false, metadata: false, context_extensions: false };

    #[test]
    fn what_is_not_believed_is_not_there() {
        let request = request();
        let inner = request.view();
        let view = TrustedView::new(&inner, NOTHING);
        assert_eq!((view.source().address, view.source().principal), ("", ""));
        for path in [
            &["source", "address"][..],
            &["source", "principal"],
            &["source", "certificate"],
            &["contextExtensions"],
            &["contextExtensions", "route"],
            &["metadataContext"],
            &["metadataContext", "filterMetadata"],
        ] {
            assert_eq!(view.attribute(path), None, "{path:?}");
        }
        assert_eq!(view.attribute(&["source"]), Some(json!({ "service": "s" })));
        assert_eq!(view.attribute(&[]), Some(json!({ "source": { "service": "s" }, "request": { "time": 1 } })));
        assert_eq!(view.attribute(&["request", "time"]), Some(json!(1)));
    }

    #[test]
    fn what_is_believed_is_there() {
        let request = request();
        let inner = request.view();
        let all = Trust { source_address: true, source_principal: true, metadata: true, context_extensions: true };
        let view = TrustedView::new(&inner, all);
        assert_eq!((view.source().address, view.source().principal), ("127.0.0.1", "spiffe://x/y"));
        assert_eq!(view.attribute(&[]), inner.attribute(&[]));
        assert_eq!(view.attribute(&["contextExtensions", "route"]), Some(json!("x")));
        // Envoy's own words about the peer are believed unless the listener says otherwise; what filters add is not.
        let usual = TrustedView::new(&inner, Trust::default());
        assert_eq!(usual.attribute(&["contextExtensions"]), None);
        assert_eq!(usual.attribute(&["source", "principal"]), Some(json!("spiffe://x/y")));
    }
}
