//! Which parts of `input` to build for an entry point.

use crate::analysis::InputPaths;

/// The parts of `input` that an entry point can read.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputPlan {
    pub(super) attributes: AttributesPlan,
    pub(super) version: bool,
    pub(super) parsed_path: bool,
    pub(super) parsed_query: bool,
    /// `parsed_body` and `truncated_body`: one costs as much as both.
    pub(super) parsed_body: bool,
    pub(super) source_principal: bool,
    pub(super) principal: bool,
    pub(super) route: bool,
}

/// The parts of `input.attributes`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AttributesPlan {
    pub(super) source: bool,
    pub(super) destination: bool,
    pub(super) time: bool,
    pub(super) http: HttpPlan,
    /// Further names under `attributes`; `None` for all of them.
    pub(super) others: Option<Vec<String>>,
}

/// The parts of `input.attributes.request.http`.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpPlan {
    pub(super) fields: Fields,
    pub(super) headers: Headers,
    pub(super) any: bool,
}

/// Fields of the request without headers, true when read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pub(super) id: bool,
    pub(super) method: bool,
    pub(super) path: bool,
    pub(super) host: bool,
    pub(super) scheme: bool,
    pub(super) query: bool,
    pub(super) fragment: bool,
    pub(super) size: bool,
    pub(super) protocol: bool,
    pub(super) body: bool,
}

/// Which headers are read.
#[derive(Debug, Clone, Default)]
pub(crate) enum Headers {
    /// None.
    #[default]
    None,
    /// These names.
    Named(Vec<String>),
    /// All, because names are chosen at run time.
    All,
}

impl AttributesPlan {
    /// True when there is anything to build.
    pub(super) fn any(&self) -> bool {
        self.source
            || self.destination
            || self.time
            || self.http.any
            || self.others.as_ref().is_none_or(|names| !names.is_empty())
    }
}

impl InputPlan {
    /// The plan for the whole document.
    pub(crate) fn everything() -> Self {
        let mut all = InputPaths::default();
        all.add(Vec::new());
        Self::new(&all)
    }

    /// The plan for what can be read.
    pub(crate) fn new(paths: &InputPaths) -> Self {
        Self {
            attributes: AttributesPlan {
                source: paths.touches(&["attributes", "source"]),
                destination: paths.touches(&["attributes", "destination"]),
                time: paths.touches(&["attributes", "request", "time"]),
                http: HttpPlan::new(paths),
                others: paths.names_under(&["attributes"]).map(|names| {
                    names.into_iter().filter(|n| !matches!(n.as_str(), "source" | "destination" | "request")).collect()
                }),
            },
            version: paths.touches(&["version"]),
            parsed_path: paths.touches(&["parsed_path"]),
            parsed_query: paths.touches(&["parsed_query"]),
            parsed_body: paths.touches(&["parsed_body"]) || paths.touches(&["truncated_body"]),
            source_principal: paths.touches(&["source_principal"]),
            principal: paths.touches(&["principal"]),
            route: paths.touches(&["route"]),
        }
    }
}

impl HttpPlan {
    fn new(paths: &InputPaths) -> Self {
        let read = |name: &str| paths.touches(&["attributes", "request", "http", name]);
        let headers = match paths.names_under(&["attributes", "request", "http", "headers"]) {
            None => Headers::All,
            Some(names) if names.is_empty() => Headers::None,
            Some(names) => Headers::Named(names),
        };
        Self {
            fields: Fields {
                id: read("id"),
                method: read("method"),
                path: read("path"),
                host: read("host"),
                scheme: read("scheme"),
                query: read("query"),
                fragment: read("fragment"),
                size: read("size"),
                protocol: read("protocol"),
                body: read("body") || read("rawBody"),
            },
            headers,
            any: paths.touches(&["attributes", "request"]),
        }
    }
}
