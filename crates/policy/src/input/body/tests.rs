use model::OwnedRequest;

use super::*;

fn read(request: &OwnedRequest) -> Result<(String, bool), String> {
    let view = request.view();
    parse(&Source::Received(&view), None).map(|body| (serde_json::to_string(&body.value).unwrap(), body.truncated))
}

fn sent(content_type: &str, body: &str) -> OwnedRequest {
    let mut request = OwnedRequest::get("a.test", "/").with_header("content-type", content_type);
    body.clone_into(&mut request.body);
    request
}

#[test]
fn the_type_says_how_a_body_is_read() {
    for (content_type, body, is) in [
        ("application/json", "[1]", "[1]"),
        ("application/json; x", "", "null"),
        ("application/x-www-form-urlencoded", "a=1&a=%C3%A9+x&b", r#"{"a":["1","é x"],"b":[""]}"#),
        ("text/plain", "[1]", "null"),
        ("application/grpc", "x", "null"),
    ] {
        assert_eq!(read(&sent(content_type, body)), Ok((is.to_owned(), false)), "{content_type}");
    }
}

#[test]
fn a_length_that_is_not_reached_makes_a_part() {
    let length = |value: &str| read(&sent("application/json", "[1]").with_header("content-length", value));
    for whole in ["3", "-1", "-5", "+2", "00"] {
        assert_eq!(length(whole), Ok(("[1]".to_owned(), false)), "{whole}");
    }
    assert_eq!(length("4"), Ok(("null".to_owned(), true)));
    for (value, is) in [
        ("", "\"\": invalid syntax"),
        ("-", "\"-\": invalid syntax"),
        ("1x", "\"1x\": invalid syntax"),
        ("9223372036854775808", "\"9223372036854775808\": value out of range"),
        ("99999999999999999999x", "\"99999999999999999999x\": value out of range"),
        ("9223372036854775808x", "\"9223372036854775808x\": invalid syntax"),
    ] {
        assert_eq!(length(value).unwrap_err(), format!("strconv.ParseInt: parsing {is}"));
    }
}

#[test]
fn names_that_look_the_same_hide_each_other_only_for_the_plugin() {
    let request = sent("application/x-www-form-urlencoded", "%FE=1&%FF=2&%FF=3");
    assert_eq!(read(&request).unwrap().0, "{\"\u{fffd}\":[\"2\",\"3\"]}");
    let view = request.view();
    let context = crate::set::tests::context(&view, 1);
    let value = parse(&Source::Sanitised(&context), None).unwrap().value;
    assert_eq!(serde_json::to_string(&value).unwrap(), "{\"\u{fffd}\":[\"1\",\"2\",\"3\"]}");
}

#[test]
fn there_are_at_most_ten_thousand_parameters() {
    let form = |count: usize| read(&sent("application/x-www-form-urlencoded", &"&".repeat(count)));
    assert_eq!(form(9_999), Ok(("{}".to_owned(), false)));
    assert_eq!(form(10_000).unwrap_err(), "number of URL query parameters exceeded limit");
}
