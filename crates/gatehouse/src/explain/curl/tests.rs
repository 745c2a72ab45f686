use super::*;

fn words(line: &[&str]) -> Result<OwnedRequest, String> {
    parse(&line.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn header<'a>(request: &'a OwnedRequest, name: &str) -> Vec<&'a str> {
    request.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
}

#[test]
fn arguments_become_a_request() {
    let request = words(&[
        "-XPUT",
        "-H",
        "Authorization: Bearer a.b.c",
        "--header=X-Two: 2",
        "https://Api.test:8443/a/../b?x=1#f",
    ])
    .unwrap();
    assert_eq!((request.method.as_str(), request.scheme.as_str()), ("PUT", "https"));
    assert_eq!((request.host.as_str(), request.path.as_str()), ("Api.test:8443", "/a/../b?x=1"));
    assert_eq!(header(&request, "authorization"), ["Bearer a.b.c"]);
    assert_eq!(header(&request, "x-two"), ["2"]);
    assert_eq!(header(&request, "accept"), ["*/*"]);
}

#[test]
fn a_pasted_line_is_split_as_a_shell_would() {
    let line = "curl -sSL 'http://a.test/x y' \\\n  -H 'X-Quote: it'\\''s' -H \"x-b: \\\"q\\\" \\n\" --json '{\"a\": 1}' -o /dev/null";
    let request = words(&[line]).unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/x y"));
    assert_eq!(header(&request, "x-quote"), ["it's"]);
    assert_eq!(header(&request, "x-b"), ["\"q\" \\n"]);
    assert_eq!(header(&request, "content-type"), ["application/json"]);
    assert_eq!(request.body, "{\"a\": 1}");
}

#[test]
fn methods_follow_the_other_options() {
    let method = |line: &[&str]| words(line).unwrap().method;
    assert_eq!(method(&["a.test"]), "GET");
    assert_eq!(method(&["-I", "a.test"]), "HEAD");
    assert_eq!(method(&["-d", "a=1", "-d", "b=2", "a.test"]), "POST");
    let got = words(&["-G", "-d", "a=1", "-d", "b=2", "a.test/?c=3"]).unwrap();
    assert_eq!((got.method.as_str(), got.path.as_str(), got.body.as_str()), ("GET", "/?c=3&a=1&b=2", ""));
}

#[test]
fn host_and_credentials_have_their_short_forms() {
    let request = words(&["-u", "a:b", "-H", "host: other.test", "-b", "s=1", "https://127.0.0.1:1"]).unwrap();
    assert_eq!((request.host.as_str(), request.path.as_str()), ("other.test", "/"));
    assert_eq!(header(&request, "authorization"), ["Basic YTpi"]);
    assert_eq!(header(&request, "cookie"), ["s=1"]);
    assert!(header(&request, "host").is_empty());
}

#[test]
fn what_is_not_understood_is_said() {
    for (line, part) in [
        (&["-X"][..], "-X needs a value"),
        (&["-H", "nonsense", "a.test"], "name: value"),
        (&["-d", "@file", "a.test"], "--request FILE"),
        (&["--upload-file", "x", "a.test"], "--upload-file"),
        (&["a.test", "b.test"], "more than one URL"),
        (&["-s"], "no URL"),
        (&["ftp://a.test"], "http and https"),
        (&["https:///a"], "needs a host"),
        (&["curl 'a.test"], "quote"),
    ] {
        let error = words(line).unwrap_err();
        assert!(error.contains(part), "{line:?}: {error}");
    }
}
