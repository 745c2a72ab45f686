//! The request that `input` is made from.

use std::borrow::Cow;

use model::{Header, HttpFields, RequestContext, RequestView};

/// A request, in one of the two ways that policies may see it.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a, 'r> {
    /// As the stages before left it.
    Sanitised(&'a RequestContext<'r>),
    /// As it came: what opa-envoy-plugin shows to policies.
    Received(&'a dyn RequestView),
}

impl<'a> Source<'a, '_> {
    pub(super) fn view(&self) -> &'a dyn RequestView {
        match self {
            Self::Sanitised(request) => request.view,
            Self::Received(view) => *view,
        }
    }

    /// True for a request that is shown as it came.
    pub(super) const fn is_received(&self) -> bool {
        matches!(self, Self::Received(_))
    }

    /// The body and whether it came as bytes. The plugin looks at `body` first, everybody else at the body in bytes.
    pub(super) fn body(&self) -> (&'a [u8], bool) {
        let HttpFields { body, body_is_raw, text_body, .. } = *self.view().http();
        if self.is_received() && !text_body.is_empty() { (text_body.as_bytes(), false) } else { (body, body_is_raw) }
    }

    /// The body in bytes, as bodies of gRPC come.
    pub(super) fn raw_body(&self) -> Option<&'a [u8]> {
        let http = self.view().http();
        http.body_is_raw.then_some(http.body)
    }

    pub(super) fn headers(&self) -> &[Header<'a>] {
        match self {
            Self::Sanitised(request) => &request.headers,
            Self::Received(view) => view.headers(),
        }
    }

    pub(super) fn host(&self) -> &str {
        match self {
            Self::Sanitised(request) => &request.host,
            Self::Received(view) => view.http().host,
        }
    }

    pub(super) fn scheme(&self) -> &str {
        match self {
            Self::Sanitised(request) => request.scheme.as_str(),
            Self::Received(view) => view.http().scheme,
        }
    }

    /// Path and query: for a sanitised request the path decided on, byte for byte as received where it was not rewritten.
    pub(super) fn full_path(&self) -> Cow<'_, str> {
        let received = self.view().http().path;
        let Self::Sanitised(request) = self else { return Cow::Borrowed(received) };
        match received.strip_prefix(request.path.as_ref()) {
            Some(rest) if rest.is_empty() || rest.starts_with('?') => Cow::Borrowed(received),
            _ if request.query.is_empty() => Cow::Borrowed(&request.path),
            _ => Cow::Owned(format!("{}?{}", request.path, request.query)),
        }
    }

    pub(super) fn query(&self) -> &str {
        match self {
            Self::Sanitised(request) => request.query,
            Self::Received(view) => view.http().path.split_once('?').map_or("", |(_, query)| query),
        }
    }

    /// All values of a header; `name` in lower case.
    pub(super) fn header_values<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + 'n {
        self.headers().iter().filter(move |h| h.name == name).map(|h| h.value)
    }

    /// True when `attributes.request` has to be shown as it came, because what the view gives differs from it.
    pub(super) fn is_unusual(&self) -> bool {
        match self {
            Self::Sanitised(_) => false,
            Self::Received(view) => !view.has_plain_headers() || view.http().method.is_empty(),
        }
    }
}
