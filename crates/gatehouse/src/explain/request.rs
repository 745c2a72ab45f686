//! The request to explain, from a file or from curl's arguments.

use config::{Document, Problems};
use model::OwnedRequest;

use super::curl;
use crate::cli::ExplainArgs;

/// # Errors
/// What is wrong with the file or the arguments.
pub(super) fn read(args: &ExplainArgs) -> Result<OwnedRequest, String> {
    let mut request = match (&args.request, args.curl.is_empty()) {
        (Some(file), _) => from_file(Document::load(file))?,
        (None, false) => curl::parse(&args.curl)?,
        (None, true) => {
            return Err("which request? Write it after `--`, as for curl: \
                        -- -H 'authorization: Bearer …' https://api.example.com/orders/7, or give --request FILE"
                .to_owned());
        }
    };
    if request.source_address.is_empty() {
        request.source_address.clone_from(&args.source);
    }
    Ok(request)
}

/// Reads a request as YAML or JSON (which is YAML).
fn from_file(mut document: Document) -> Result<OwnedRequest, String> {
    let request: Option<OwnedRequest> = document.read();
    let report = document.report(&Problems::new());
    let Some(mut request) = request.filter(|_| report.is_ok()) else { return Err(report.to_string()) };
    let defaults = [(&mut request.method, "GET"), (&mut request.scheme, "https"), (&mut request.path, "/")];
    for (field, default) in defaults {
        if field.is_empty() {
            default.clone_into(field);
        }
    }
    if request.protocol.is_empty() {
        "HTTP/1.1".clone_into(&mut request.protocol);
    }
    for (name, _) in &mut request.headers {
        name.make_ascii_lowercase();
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn file(text: &str) -> Result<OwnedRequest, String> {
        from_file(Document::from_texts(Path::new(""), vec![(PathBuf::from("r.yaml"), text.to_owned())]))
    }

    #[test]
    fn a_file_needs_to_say_only_what_differs() {
        let request =
            file("host: a.test\nheaders: [[X-One, \"1\"]]\nattributes: { contextExtensions: { a: b } }\n").unwrap();
        assert_eq!((request.method.as_str(), request.scheme.as_str(), request.path.as_str()), ("GET", "https", "/"));
        assert_eq!(request.headers, [("x-one".to_owned(), "1".to_owned())]);
        assert_eq!(request.attributes["contextExtensions"]["a"], "b");
        assert!(file("{\"host\": \"a.test\", \"method\": \"PUT\"}").is_ok_and(|r| r.method == "PUT"));
    }

    #[test]
    fn a_wrong_file_says_where() {
        let error = file("hots: a.test\npath: [x]\n").unwrap_err();
        assert!(error.contains("r.yaml:1:1: hots: unknown key, did you mean `host`?"), "{error}");
        assert!(error.contains("r.yaml:2:7: path: expected text, found a list"), "{error}");
    }
}
