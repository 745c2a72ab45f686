//! The normalised view of a request inside the pipeline.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::clock::Timestamp;
use crate::request::{Header, RequestView};

/// A request on its way through the stages. Stages read it; `route` and `sanitise` fill it.
pub struct RequestContext<'a> {
    /// The request as received.
    pub view: &'a dyn RequestView,
    /// The headers that are left after sanitising: what later stages and the upstream may see.
    pub headers: Vec<Header<'a>>,
    /// Host in lower case, without port and trailing dot.
    pub host: Cow<'a, str>,
    /// The path that is decided on and forwarded, without the query.
    pub path: Cow<'a, str>,
    /// The query without `?`; empty when there is none.
    pub query: &'a str,
    /// Scheme the client used, as far as trusted hops say.
    pub scheme: Scheme,
    /// The client's address by the trusted-hop rule.
    pub client_address: Option<IpAddr>,
    /// Validated or created `x-request-id`.
    pub request_id: Cow<'a, str>,
    /// The tenant found at routing time.
    pub tenant: Option<Arc<str>>,
    /// When the request arrived.
    pub now: Timestamp,
    /// When the answer must be ready; `None` when the caller set no deadline.
    pub deadline: Option<Instant>,
}

impl<'a> RequestContext<'a> {
    /// All values of a header that survived sanitising. `name` in lower case.
    pub fn header_values<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + 'n {
        self.headers.iter().filter(move |h| h.name == name).map(|h| h.value)
    }

    /// The only value of a header as text; `None` when absent, repeated or not UTF-8.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.iter().filter(|h| h.name == name);
        let first = values.next()?;
        if values.next().is_some() {
            return None;
        }
        first.text()
    }

    /// The method as the client sent it.
    pub fn method(&self) -> &str {
        self.view.http().method
    }
}

/// URL scheme of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::OwnedRequest;

    #[test]
    fn a_repeated_header_has_no_single_value() {
        let request = OwnedRequest::get("a.test", "/")
            .with_header("x-one", "1")
            .with_header("x-two", "1")
            .with_header("x-two", "2");
        let view = request.view();
        let context = RequestContext {
            view: &view,
            headers: view.headers().to_vec(),
            host: "a.test".into(),
            path: "/".into(),
            query: "",
            scheme: Scheme::Https,
            client_address: None,
            request_id: "r".into(),
            tenant: None,
            now: Timestamp::default(),
            deadline: None,
        };
        assert_eq!(context.header("x-one"), Some("1"));
        assert_eq!(context.header("x-two"), None);
        assert_eq!(context.header_values("x-two").count(), 2);
        assert_eq!(context.header("x-none"), None);
    }
}
