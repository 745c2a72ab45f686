//! No I/O here: exchanges with real servers are in `tests/it`.

use super::*;

#[test]
fn clear_text_is_for_this_machine_only() {
    for good in ["https://a.test/x", "http://127.0.0.1:1/x", "http://127.9.9.9/", "http://localhost/", "http://[::1]/"]
    {
        assert!(check_address(good, Plaintext::Refuse).is_ok(), "{good}");
    }
    for bad in [
        "http://a.test/",
        "http://10.0.0.1/",
        "http://localhost.a.test/",
        "http://127.0.0.1.a.test/",
        "http://[::ffff:10.0.0.1]/",
        "file:///etc/passwd",
        "ftp://a.test",
        "data:,x",
    ] {
        assert!(matches!(check_address(bad, Plaintext::Refuse), Err(FetchError::Insecure)), "{bad}");
    }
    assert!(matches!(check_address("keys", Plaintext::Refuse), Err(FetchError::Address(_))));
}

#[test]
fn clear_text_elsewhere_has_to_be_written() {
    assert!(check_address("http://keys.svc/", Plaintext::Accept).is_ok());
    assert!(check_address("ftp://keys.svc/", Plaintext::Accept).is_err());
}

#[test]
fn an_address_holds_no_credentials_and_no_message_holds_an_address() {
    for address in ["https://me:hunter2@a.test/", "https://me@a.test/", "http://me:hunter2@a.test/", "hunter2"] {
        let error = check_address(address, Plaintext::Refuse).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
