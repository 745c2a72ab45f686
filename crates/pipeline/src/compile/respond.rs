//! `respond:` of a route.

use std::collections::BTreeMap;

use config::{Path, Problems};

use super::Builder;
use crate::config::RespondConfig;
use crate::snapshot::Respond;
use crate::template::Template;

/// Names that the protocol or Gatehouse owns.
const RESERVED: [&str; 6] = ["host", "connection", "transfer-encoding", "content-length", "te", "x-request-id"];
/// The client's credentials: they may be kept from the upstream, and not be made up.
const CREDENTIALS: [&str; 2] = ["authorization", "cookie"];

impl Builder<'_> {
    pub(super) fn respond(
        &mut self,
        config: Option<&RespondConfig>,
        captures: &[String],
        at: &Path,
        problems: &mut Problems,
    ) -> Respond {
        let Some(config) = config else { return Respond::default() };
        let headers = |names: &BTreeMap<String, String>, at: &Path, problems: &mut Problems| {
            let compiled = names.iter().filter_map(|(name, text)| {
                let at = at.key(name);
                check_header(name, &at, problems);
                if CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential)) {
                    problems.error(&at, format!("`{name}` is the client's: it can be removed, and not be set"));
                }
                Template::compile(text, captures, &at, problems).map(|t| (name.to_ascii_lowercase(), t))
            });
            compiled.collect::<Vec<_>>()
        };
        let request_headers = headers(&config.request_headers, &at.key("request_headers"), problems);
        let response_headers = headers(&config.response_headers, &at.key("response_headers"), problems);
        for (i, name) in config.remove_request_headers.iter().enumerate() {
            let at = at.key("remove_request_headers").index(i);
            check_header(name, &at, problems);
            if config.request_headers.keys().any(|set| set.eq_ignore_ascii_case(name)) {
                problems.error(&at, format!("`{name}` is also set: a header is either set or removed"));
            }
        }
        // No client may set, on any route, what some route states about the caller.
        self.owned.extend(request_headers.iter().map(|(name, _)| name.replace('_', "-").into_boxed_str()));
        let texts = |map: &BTreeMap<String, String>, at: &Path, problems: &mut Problems| {
            let compiled = map.iter().filter_map(|(name, text)| {
                Template::compile(text, captures, &at.key(name), problems).map(|t| (name.clone(), t))
            });
            compiled.collect::<Vec<_>>()
        };
        Respond {
            request_headers,
            remove_request_headers: config.remove_request_headers.iter().map(|n| n.to_ascii_lowercase()).collect(),
            response_headers,
            metadata: texts(&config.metadata, &at.key("metadata"), problems),
            query_set: texts(&config.query.set, &at.key("query").key("set"), problems),
            query_remove: config.query.remove.clone(),
        }
    }
}

/// A header name (RFC 9110 §5.1) that is ours to change.
fn check_header(name: &str, at: &Path, problems: &mut Problems) {
    let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !token {
        problems.error(at, format!("`{name}` is no header name"));
    } else if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        problems.error(at, format!("`{name}` belongs to the protocol or to Gatehouse"));
    }
}
