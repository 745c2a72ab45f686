use std::time::{Duration, Instant};

use model::OwnedRequest;
use proptest::prelude::*;

use super::*;

const TYPE: &str = "multipart/form-data; boundary=XX";

fn read(content_type: &str, body: &[u8]) -> Result<String, String> {
    let request = OwnedRequest::get("a.test", "/");
    let view = request.view();
    parse(&Source::Received(&view), content_type, body).map(|body| serde_json::to_string(&body.value).unwrap())
}

fn form(body: &str) -> Result<String, String> {
    read(TYPE, body.as_bytes())
}

/// One part with these header lines and this text.
fn part(headers: &str, text: &str) -> Result<String, String> {
    form(&format!("--XX\r\n{headers}\r\n\r\n{text}\r\n--XX--"))
}

#[test]
fn parts_end_where_a_boundary_stands_at_the_start_of_a_line() {
    const NAMED: &str = "Content-Disposition: form-data; name=a\r\n\r\n";
    for (body, is) in [
        (format!("--XX\r\n{NAMED}1\r\n--XX--"), r#"{"a":["1"]}"#),
        (format!("before\r\n--XX \t\r\n{NAMED}\r\n--XX--\r\nbehind"), r#"{"a":[""]}"#),
        (format!("--XX\r\n{NAMED}--XX--"), r#"{"a":[""]}"#),
        (format!("--XX\r\n{NAMED}--XXy\r\n--XX--"), r#"{"a":["--XXy"]}"#),
        (format!("--XX\r\n{NAMED}1\r\n--XX-\r\n--XX--"), r#"{"a":["1\r\n--XX-"]}"#),
        (format!("--XX\r\n{NAMED}1\n--XX--\r\n--XX--"), r#"{"a":["1\n--XX--"]}"#),
        ("--XX\nContent-Disposition: form-data; name=a\n\n1\n--XX--\n".to_owned(), r#"{"a":["1"]}"#),
        ("--XX--".to_owned(), "{}"),
        ("--XX\r\nContent-Disposition: form-d".to_owned(), "{}"),
        ("--XX\r\n\r\nx\r\n--XX--".to_owned(), "{}"),
    ] {
        assert_eq!(form(&body).as_deref(), Ok(is), "{body}");
    }
}

#[test]
fn mistakes_are_told_in_the_words_of_go() {
    const NAMED: &str = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    for (body, is) in [
        (String::new(), "multipart: NextPart: EOF"),
        ("--XX".to_owned(), "multipart: NextPart: EOF"),
        ("x".repeat(4096), "multipart: NextPart: bufio: buffer full"),
        (format!("{NAMED}1"), "unexpected EOF"),
        (format!("{NAMED}1\r\n--XX"), "multipart: NextPart: EOF"),
        (format!("{NAMED}1\r\n--XX-"), "unexpected EOF"),
        ("--XX\r\n\r\nno name, no end".to_owned(), "multipart: NextPart: EOF"),
        (format!("{NAMED}1\r\n--XX y\r\n"), r#"multipart: expecting a new Part; got line "--XX y\r\n""#),
        (format!("{NAMED}--XX y\r\n"), r#"multipart: unexpected line in Next(): "--XX y\r\n""#),
        ("--XX\r\nno colon\r\n\r\n".to_owned(), r#"malformed MIME header: missing colon: "no colon""#),
        ("--XX\r\n x: y\r\n".to_owned(), r#"malformed MIME header initial line: " x: y""#),
        (format!("--XX\r\n {}\r\n", "x".repeat(80)), "multipart: message too large"),
        ("--XX\r\na\u{1}: y\r\n".to_owned(), r#"malformed MIME header line: "a\x01: y""#),
        ("--XX\r\nx-aB: y\u{1}\r\n".to_owned(), r#"malformed MIME header line: "X-Ab: y\x01""#),
        ("--XX\r\na b: y\u{1}\r\n".to_owned(), r#"malformed MIME header line: "a b: y\x01""#),
        (format!("--XX\r\n{}\r\n", "a: b\r\n".repeat(10_001)), "multipart: message too large"),
    ] {
        assert_eq!(form(&body).unwrap_err(), is, "{body}");
    }
}

#[test]
fn names_come_from_the_disposition() {
    for (value, name) in [
        ("form-data; name=\"a\\\"b\\\\c\\d\"", Some("a\"b\\c\\d")),
        ("Form-Data;\tNAME = a ;", Some("a")),
        ("form-data;\r\n name=a", Some("a")),
        ("form-data; name*=UTF-8''%C3%A9; name=x", Some("é")),
        ("form-data; name*=latin1''%E9; name=x", Some("x")),
        ("form-data; name*1=b; name*0*=utf-8''%61; name*3=d", Some("ab")),
        ("form-data; name=a; name=a", Some("a")),
        ("form-data; name=a; name=b", None),
        ("form-data; name=\"a", None),
        ("form-data; name=a b", None),
        ("form-data; name=", None),
        ("form-data name=a", None),
        ("attachment; name=a", None),
    ] {
        let is = name.map_or_else(|| "{}".to_owned(), |name| serde_json::json!({ name: ["x"] }).to_string());
        assert_eq!(part(&format!("Content-Disposition: {value}"), "x"), Ok(is), "{value}");
    }
    let two = "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b";
    assert_eq!(part(two, "x").unwrap(), r#"{"a":["x"]}"#, "the first counts");
    assert_eq!(part("Content-Disposition : form-data; name=a", "x").unwrap(), "{}", "another name");
}

#[test]
fn content_types_say_the_boundary() {
    const BODY: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--";
    for content_type in [
        "multipart/form-data; boundary=\"XX\"",
        " Multipart/form-data ; a=b;boundary*0=X; boundary*1=X;",
        "multipart/form-data; boundary=XX; boundary=XX",
    ] {
        assert_eq!(read(content_type, BODY).unwrap(), r#"{"a":["1"]}"#, "{content_type}");
    }
    assert_eq!(read("multipart/form-data", BODY).unwrap(), "null");
    for (content_type, is) in [
        ("multipart/form-data; boundary=\"\"", "multipart: boundary is empty"),
        ("multipart/form-data; boundary=", "mime: invalid media parameter"),
        ("multipart/form-data; boundary=XX; boundary=YY", "mime: duplicate parameter name"),
        ("multipart/form-data, x; boundary=XX", "mime: unexpected content after media subtype"),
        ("; multipart/form-data", "mime: no media type"),
        ("a b", "mime: expected slash after first token"),
        ("a/;", "mime: expected token after slash"),
    ] {
        assert_eq!(read(content_type, BODY).unwrap_err(), is, "{content_type}");
    }
}

#[test]
fn quoted_printable_is_decoded() {
    let decode = |data: &str| quoted_printable::decode(data.as_bytes(), true).map(|bytes| text::from_bytes(&bytes));
    for (data, is) in [
        ("a=3Db=c3=A9", "a=bé"),
        ("a \t\r\nb  \nc  ", "a\r\nb\nc"),
        ("a= \r\nb=\nc=", "abc"),
        ("a=ZZ=4", "a=ZZ=4"),
        ("é\t", "é"),
    ] {
        assert_eq!(decode(data).as_deref(), Ok(is), "{data}");
    }
    for (data, is) in [
        ("a\u{1}", "quotedprintable: invalid unescaped byte 0x01 in body"),
        ("a=\rb", "quotedprintable: invalid hex byte 0x0d"),
        ("a= ", ""),
        ("=", "quotedprintable: invalid bytes after =: \"\""),
        ("a==\n", "unexpected EOF"),
    ] {
        assert_eq!(decode(data).err().unwrap_or_default(), is, "{data}");
    }
    assert_eq!(decode(&"x".repeat(4096)).unwrap_err(), "bufio: buffer full");
    assert_eq!(quoted_printable::decode(b"a", false).unwrap_err(), "unexpected EOF");
}

#[test]
fn policies_of_our_own_take_only_plain_forms() {
    let request = OwnedRequest::get("a.test", "/");
    let view = request.view();
    let context = crate::set::tests::context(&view, 1);
    let careful = |body: &str| parse(&Source::Sanitised(&context), TYPE, body.as_bytes()).map(|body| body.value);
    const PART: &str = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
    assert!(careful(&format!("{}--XX--", PART.repeat(1_000))).is_ok());
    assert!(careful(&format!("{}--XX--", PART.repeat(1_001))).is_err());
    assert!(form(&format!("{}--XX--", PART.repeat(1_001))).is_ok());
    assert!(careful(&format!("{PART}--XX--").replace('\r', "")).is_err());
    assert!(careful("--XX\r\nContent-Disposition: form-data; name=a\r\nContent-Type: application/json\r\n\r\n\"\\ud800\"\r\n--XX--").is_err());
}

#[test]
fn great_bodies_are_read_in_linear_time() {
    let start = Instant::now();
    let boundary = "-".repeat(60);
    let near = format!("\r\n--{}", "-".repeat(59));
    let parameters = format!("form-data{}", "; a=b".repeat(200_000));
    read(&format!("multipart/form-data; boundary={boundary}"), near.repeat(20_000).as_bytes()).unwrap_err();
    form(&format!("--XX\r\nContent-Disposition: {parameters}\r\n\r\n")).unwrap_err();
    form(&format!("--XX\r\na: b{}", "\r\n ".repeat(300_000))).unwrap();
    form(&"--XX\r\n\r\n".repeat(200_000)).unwrap_err();
    form(&format!("--XX\r\n\r\n{}", "\r\n--XXX".repeat(200_000))).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn nothing_is_too_odd(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24), noise in any::<Vec<u8>>()) {
        let body = [pieces.concat(), noise.clone()].concat();
        let _ = read(TYPE, &body);
        let _ = read(&String::from_utf8_lossy(&noise), &body);
        let _ = quoted_printable::decode(&body, true);
        let _ = media_type::parse(&body);
    }
}

const PIECES: &[&[u8]] = &[
    b"--XX",
    b"\r\n",
    b"\n",
    b"--",
    b" ",
    b"Content-Disposition: form-data; name=",
    b"\"a\"",
    b"a*0=",
    b"%41",
    b"=",
    b"=\r\n",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Type: application/json",
    b"[\"",
    b"\xff",
    b"\\",
];
