use model::OwnedRequest;
use serde_json::json;

use super::*;
use crate::analysis::InputPaths;
use crate::set::tests::context;

fn built(paths: &[&str], request: &OwnedRequest) -> Value {
    let mut all = InputPaths::default();
    for path in paths {
        all.add(path.split('.').filter(|p| !p.is_empty()).map(str::to_owned).collect());
    }
    let view = request.view();
    let context = context(&view, 1);
    let route = RouteValue { value: Value::from(json!({ "name": "r" })) };
    let source = Source::Sanitised(&context);
    let ours = Some((&Identity::Anonymous, &route));
    build(&InputPlan::new(&all), &Material { source, ours, bodies: true, descriptors: None }).unwrap()
}

#[test]
fn only_what_is_read_is_built() {
    let request = OwnedRequest::get("a.test", "/x?y=1").with_header("x-a", "1").with_header("x-b", "2");
    let lean = built(&["attributes.request.http.headers.x-a", "attributes.request.http.method"], &request);
    assert_eq!(
        lean,
        Value::from(json!({ "attributes": { "request": { "http": { "headers": { "x-a": "1" }, "method": "GET" } } } }))
    );
    assert_eq!(built(&[], &request), Value::from(json!({})));
    assert_eq!(built(&["parsed_query"], &request), Value::from(json!({ "parsed_query": { "y": ["1"] } })));
    assert_eq!(built(&["route.name"], &request), Value::from(json!({ "route": { "name": "r" } })));
}

#[test]
fn a_malformed_part_only_matters_when_it_is_read() {
    let request = OwnedRequest::get("a.test", "/%zz");
    assert_eq!(built(&["attributes.request.http.method"], &request).as_object().unwrap().len(), 1);
}

#[test]
fn the_whole_document_has_everything_once() {
    let mut request = OwnedRequest::get("a.test", "/x").with_header("x-a", "1").with_header("x-a", "2");
    request.attributes.insert("request".to_owned(), json!({ "http": { "headers": { "x-forged": "1" } } }));
    request.attributes.insert("contextExtensions".to_owned(), json!({ "k": "v" }));
    let whole = built(&[""], &request).to_json_str().unwrap();
    let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["attributes"]["request"]["http"]["headers"], json!({ "x-a": "1,2" }));
    assert_eq!(whole["attributes"]["contextExtensions"], json!({ "k": "v" }));
    assert_eq!(whole["principal"], json!(null));
    assert_eq!(whole["parsed_path"], json!(["x"]));
    assert_eq!(whole["parsed_body"], json!(null));
    assert_eq!(whole["truncated_body"], json!(false));
    assert!(whole.get("source_principal").is_none(), "only when non-empty");
    assert_eq!(view_size(&whole), 8);
}

fn view_size(value: &serde_json::Value) -> usize {
    value.as_object().unwrap().len()
}
