use super::*;

fn read(text: &[u8]) -> Result<String, String> {
    read::document(text).map(|value| serde_json::to_string(&value).unwrap())
}

#[test]
fn documents_are_what_they_say() {
    let text = r#" { "a" : [ 1 , -2.5 , true , false , null , "x" ] , "b" : { } , "c" : [ ] , "a2" : [ [ ] , { "k" : [ 0 ] } ] } "#;
    let known = Value::from_json_str(text).unwrap();
    assert_eq!(read::document(text.as_bytes()).unwrap(), known);
    assert_eq!(read(br#"{"a":1,"a":2}"#).unwrap(), r#"{"a":2}"#, "the last wins");
    for simple in ["1", "-0.5", "true", "null", "\"x\"", "[]"] {
        assert_eq!(read(simple.as_bytes()).unwrap(), simple);
    }
}

#[test]
fn texts_keep_what_can_be_kept() {
    for (text, is) in [
        (&br#""\u00e9\n\/\\\"\b\f\r\t""#[..], "\u{e9}\n/\\\"\u{8}\u{c}\r\t"),
        (br#""\ud83d\ude00""#, "\u{1f600}"),
        (br#""\ud83dx""#, "\u{fffd}x"),
        (br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (br#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (br#""\ud83d\u0041""#, "\u{fffd}A"),
        (b"\"a\xe2\x82b\xff\"", "a\u{fffd}\u{fffd}b\u{fffd}"),
    ] {
        assert_eq!(read::document(text).unwrap(), Value::from(is));
    }
}

#[test]
fn numbers_are_exact_where_they_can_be() {
    for (text, is) in [("18446744073709551615", Value::from(u64::MAX)), ("-9223372036854775808", Value::from(i64::MIN))]
    {
        assert_eq!(read::document(text.as_bytes()).unwrap(), is);
    }
    let great = read::document(b"123456789012345678901234567891").unwrap();
    assert!(great > read::document(b"123456789012345678901234567890").unwrap());
    assert_eq!(read::document(b"1e-400").unwrap(), Value::from(0.0));
    for great in ["1e308", "1.7976931348623157e308", "-179769313486231570000000000e282"] {
        let written = read::document(great.as_bytes()).map(|value| serde_json::to_string(&value).is_ok());
        assert_ne!(written, Ok(false), "what is taken can be written");
    }
    for refused in ["1e309".to_owned(), "-1e99999999999999999999".to_owned(), "1".repeat(400), "1".repeat(100_000)] {
        read(refused.as_bytes()).unwrap_err();
    }
}

#[test]
fn mistakes_are_told_in_the_words_of_go() {
    for (text, is) in [
        (&b""[..], "EOF"),
        (b" \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b"[1,", "unexpected EOF"),
        (b"\"a", "unexpected EOF"),
        (b"-", "unexpected EOF"),
        (b"[01]", "invalid character '1' after array element"),
        (b"[1.]", "invalid character ']' after decimal point in numeric literal"),
        (b"[1e+]", "invalid character ']' in exponent of numeric literal"),
        (b"[-a]", "invalid character 'a' in numeric literal"),
        (b"{\"a\" 1}", "invalid character '1' after object key"),
        (b"{\"a\":1 2}", "invalid character '2' after object key:value pair"),
        (b"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"nul!", "invalid character '!' in literal null (expecting 'l')"),
        (b"\"\\x\"", "invalid character 'x' in string escape code"),
        (b"\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
        (b"\"\\ud83d\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
        (b"\"\x01\"", "invalid character '\\x01' in string literal"),
        (b"\xff", "invalid character '\u{ff}' looking for beginning of value"),
        (b"{} x", "invalid character 'x' looking for beginning of value"),
        (b"{} ]", "invalid character ']' looking for beginning of value"),
        (b"{} [x", "error: invalid character '[' after top-level value"),
        (b"{} \"x\" y", "error: invalid character 'x' after top-level value"),
        (b"1 2.50", "error: invalid character '2.50' after top-level value"),
        (b"1 true", "error: invalid character '%!s(bool=true)' after top-level value"),
    ] {
        assert_eq!(read(text).unwrap_err(), is, "{}", String::from_utf8_lossy(text));
    }
    assert_eq!(read(b"1 null x").unwrap(), "1", "a null behind goes unseen");
}

#[test]
fn depth_has_an_end_that_fits_a_small_stack() {
    let nested = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
    let error = read(&nested(read::MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error, "invalid character '[' exceeded max depth");
    read(&b"{\"a\":".repeat(1_000_000)).unwrap_err();
    let deep = move || {
        let value = read::document(&nested(read::MAX_DEPTH)).unwrap();
        let text = serde_json::to_string(&value).unwrap();
        let other = value.clone() == read::document(text.as_bytes()).unwrap();
        (serde_json::to_value(&value).unwrap().is_array(), other)
    };
    let small = std::thread::Builder::new().stack_size(1 << 20).spawn(deep).unwrap();
    assert_eq!(small.join().unwrap(), (true, true));
}

#[test]
fn policies_of_our_own_take_only_plain_json() {
    for refused in [&b"\"\xff\""[..], br#""\ud83d""#, b"1 null", b"1e400", &[b"[".repeat(65), b"]".repeat(65)].concat()]
    {
        plain(refused).unwrap_err();
    }
    assert_eq!(plain(br#"{"a":[1]}"#).unwrap(), read::document(br#"{"a":[1]}"#).unwrap());
}
