use proptest::prelude::*;

use super::*;

fn normal(raw: &str) -> String {
    normalise_path(raw).unwrap().path.into_owned()
}

#[test]
fn what_is_normal_is_left_alone() {
    for path in ["/", "/orders/7", "/a/b/", "/a.b/c~d", "/x%20y", "/a%2Fb", "/@v1/:id", "/a/..b/.c./d"] {
        let found = normalise_path(path).unwrap();
        assert!(!found.changed(), "{path} became {}", found.path);
    }
}

#[test]
fn tricks_have_another_normal_form() {
    for (raw, want) in [
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/..;x=1/b", "/b"),
        ("/a;x=1/b;y", "/a/b"),
        ("//a///b", "/a/b"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/%61dmin", "/admin"),
        ("/a%2fb", "/a%2Fb"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/a\"b", "/a%22b"),
        (";/a", "x"),
    ] {
        if want == "x" {
            assert_eq!(normalise_path(raw), Err(PathFault::NotAbsolute));
            continue;
        }
        assert_eq!(normal(raw), want, "{raw}");
        assert!(normalise_path(raw).unwrap().changed(), "{raw}");
    }
}

#[test]
fn what_has_no_normal_form_is_a_fault() {
    for (raw, fault) in [
        ("", PathFault::NotAbsolute),
        ("*", PathFault::NotAbsolute),
        ("http://a/b", PathFault::NotAbsolute),
        ("/%", PathFault::BadEscape),
        ("/%2", PathFault::BadEscape),
        ("/%zz", PathFault::BadEscape),
        ("/%+1", PathFault::BadEscape),
        ("/a b", PathFault::BadCharacter),
        ("/a#b", PathFault::BadCharacter),
        ("/a\0b", PathFault::BadCharacter),
        ("/a\r\nb", PathFault::BadCharacter),
    ] {
        assert_eq!(normalise_path(raw), Err(fault), "{raw:?}");
    }
    assert_eq!(normalise_path(&format!("/{}", "a".repeat(MAX_PATH))), Err(PathFault::TooLong));
    assert_eq!(normalise_path(&format!("/{}", "|".repeat(MAX_PATH / 2))), Err(PathFault::TooLong));
}

#[test]
fn dangerous_parts_are_found() {
    assert!(normalise_path("/a%2Fb").unwrap().encoded_slash);
    assert!(normalise_path("/a%5Cb").unwrap().backslash);
    assert!(normalise_path("/a\\b").unwrap().backslash);
    assert!(normalise_path("/a%00").unwrap().nul);
    assert!(normalise_path("/a%FF").unwrap().invalid_utf8);
    assert!(!normalise_path("/%C3%A9").unwrap().invalid_utf8);
}

#[test]
fn hosts() {
    for (raw, want) in [
        ("API.Example.com:8443", "api.example.com"),
        ("a.test.", "a.test"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:443", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
    ] {
        assert_eq!(normalise_host(raw).unwrap(), want);
    }
    for raw in [
        "",
        ".",
        "user@a.test",
        "a..b",
        "a.test:x",
        "a.test:123456",
        "[::1",
        "[x]",
        "[::1]x",
        "a b",
        "a/b",
        "a.test:1:2",
    ] {
        assert!(normalise_host(raw).is_err(), "{raw}");
    }
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(raw in "/[a-c%./;\\\\0-9A-F#é ]{0,24}") {
        if let Ok(first) = normalise_path(&raw) {
            let once = first.path.into_owned();
            let twice = normalise_path(&once);
            prop_assert!(twice.is_ok(), "{once} has no normal form");
            let twice = twice.unwrap();
            prop_assert_eq!(twice.path.as_ref(), once.as_str());
        }
    }

    #[test]
    fn a_normal_path_has_no_dot_or_empty_segments(raw in "/[a./;%25eE]{0,16}") {
        if let Ok(found) = normalise_path(&raw) {
            let segments: Vec<&str> = found.path.split('/').skip(1).collect();
            for (i, segment) in segments.iter().enumerate() {
                prop_assert!(*segment != "." && *segment != ".." && !segment.contains(';'), "{}", found.path);
                prop_assert!(!segment.is_empty() || i + 1 == segments.len(), "{}", found.path);
            }
        }
    }

    #[test]
    fn no_input_panics(raw in ".*") {
        let _path = normalise_path(&raw);
        let _host = normalise_host(&raw);
    }
}
