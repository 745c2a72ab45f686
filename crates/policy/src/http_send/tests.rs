use std::time::Duration;

use regorus::Value;
use serde_json::json;

use super::HttpSendConfig;
use super::request::Request;

fn read(value: serde_json::Value) -> Result<Request, String> {
    Request::read(&Value::from(value)).map_err(|error| error.to_string())
}

#[test]
fn requests_are_read_as_opa_reads_them() {
    let request = read(json!({
        "method": "post", "url": "https://a.test/x", "headers": {"X-A": "1"}, "body": {"b": [1]}, "timeout": "500ms",
        "raise_error": false, "force_cache": true, "force_cache_duration_seconds": 5, "enable_redirect": true,
        "max_retry_attempts": 99, "caching_mode": "deserialized", "tls_use_system_certs": true, "tls_insecure_skip_verify": false,
    }))
    .unwrap();
    assert_eq!((request.method.as_str(), &request.body[..]), ("POST", &br#"{"b":[1]}"#[..]));
    assert_eq!(
        (request.timeout, request.force_cache),
        (Some(Duration::from_millis(500)), Some(Duration::from_secs(5)))
    );
    assert_eq!((request.redirects, request.retries, request.raise_error), (true, 10, false));
    let nanoseconds = read(json!({ "method": "GET", "url": "https://a.test", "timeout": 2_000_000 })).unwrap();
    assert_eq!(nanoseconds.timeout, Some(Duration::from_millis(2)));
}

#[test]
fn what_is_no_request_is_refused() {
    let get = |more: serde_json::Value| {
        let mut request = json!({ "method": "GET", "url": "https://a.test" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(request).map(drop).unwrap_err()
    };
    for (more, want) in [
        (json!({ "tls_insecure_skip_verify": true }), "not served"),
        (json!({ "tls_server_name": "x" }), "not served"),
        (json!({ "force_cache": true }), "force_cache_duration_seconds"),
        (json!({ "made_up": 1 }), "made_up"),
        (json!({ "headers": ["a"] }), "headers"),
        (json!({ "headers": {"a": 1} }), "headers"),
        (json!({ "timeout": "soon" }), "invalid duration"),
        (json!({ "timeout": -1 }), ""),
        (json!({ "method": "TRACE" }), "TRACE"),
        (json!({ "method": "GET\r\nX: 1" }), "not served"),
        (json!({ "tls_ca_cert_file": "/nowhere/ca.pem" }), "/nowhere/ca.pem"),
        (json!({ "tls_ca_cert_env_variable": "NO_SUCH_VARIABLE" }), "NO_SUCH_VARIABLE"),
    ] {
        let error = get(more.clone());
        assert!(error.contains(want), "{more}: {error}");
    }
    assert!(
        read(json!({ "method": "GET" })).is_err() && read(json!({ "url": "x" })).is_err() && read(json!([])).is_err()
    );
}

#[test]
fn equal_requests_have_one_key() {
    let key = |headers: serde_json::Value, ignored: serde_json::Value| {
        read(json!({ "method": "GET", "url": "https://a.test", "headers": headers, "cache_ignored_headers": ignored }))
            .unwrap()
            .key
    };
    assert_eq!(key(json!({"A": "1", "T": "2"}), json!(["t"])), key(json!({"a": "1", "T": "3"}), json!(["t"])));
    assert_ne!(key(json!({"A": "1"}), json!([])), key(json!({"A": "2"}), json!([])));
    assert_ne!(key(json!({"A": "1\", \"b\": \"2"}), json!([])), key(json!({"A": "1", "b": "2"}), json!([])));
}

#[test]
fn hosts_are_allowed_by_name_and_port() {
    let hosts = ["api.test", "*.example.com", "one.test:8443"].map(str::to_owned).to_vec();
    let config = HttpSendConfig { hosts, ..HttpSendConfig::default() };
    for (host, port) in
        [("api.test", 443), ("API.test", 80), ("a.example.com", 443), ("a.b.example.com", 1), ("one.test", 8443)]
    {
        assert!(config.allows(host, port), "{host}:{port}");
    }
    for (host, port) in [
        ("example.com", 443),
        ("xexample.com", 443),
        (".example.com", 443),
        ("api.test.evil", 443),
        ("one.test", 443),
        ("", 443),
        ("ä.example.co", 1),
    ] {
        assert!(!config.allows(host, port), "{host}:{port}");
    }
    for bad in ["", "*", "https://a.test", "a.test/x", "u@a.test", "*.", "a*.test"] {
        let config = HttpSendConfig { hosts: vec![bad.to_owned()], ..HttpSendConfig::default() };
        let mut problems = config::Problems::new();
        config.check(&config::Path::root(), &mut problems);
        assert!(problems.iter().next().is_some(), "{bad:?}");
    }
}
