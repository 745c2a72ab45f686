//! 200 routes as rules or as data.

use serde_json::{Map, Value, json};

use super::case::Shape;

/// How many routes there are.
pub(super) const ROUTES: usize = 200;

/// The path of a request for a route.
pub(super) fn path(shape: Shape, route: usize) -> String {
    match shape {
        Shape::Path | Shape::Table => format!("/api/v1/r{route}"),
        Shape::Segment => format!("/r{route}/items"),
        Shape::Glob => format!("/api/v1/r{route}/items"),
    }
}

/// One rule for each route.
pub(super) fn rules(shape: Shape) -> String {
    let rules: String = (0..ROUTES).map(|route| rule(shape, route)).collect();
    format!("package envoy.authz\n\nimport rego.v1\n\ndefault allow := false\n{rules}")
}

/// The routes as a table.
pub(super) fn table() -> Value {
    let routes: Map<_, _> =
        (0..ROUTES).map(|route| (path(Shape::Table, route), json!({ "methods": ["GET", "HEAD"] }))).collect();
    json!({ "routes": routes })
}

fn rule(shape: Shape, route: usize) -> String {
    let guard = match shape {
        Shape::Path | Shape::Table => {
            format!("input.attributes.request.http.path == \"{}\"", path(Shape::Path, route))
        }
        Shape::Segment => format!("input.parsed_path[0] == \"r{route}\""),
        Shape::Glob => {
            format!("glob.match(\"/api/v1/r{route}/*\", [\"/\"], input.attributes.request.http.path)")
        }
    };
    format!("\nallow if {{\n\t{guard}\n\tinput.attributes.request.http.method == \"GET\"\n}}\n")
}
