use serde_json::json;

use super::*;

fn reason(value: Json) -> Option<Reason> {
    match decide(&Value::from(value)) {
        Decision::Allow(..) => None,
        Decision::Deny(denial) => Some(denial.reason),
    }
}

#[test]
fn only_a_clear_yes_is_a_yes() {
    assert_eq!(reason(json!(true)), None);
    assert_eq!(reason(json!({ "allowed": true })), None);
    assert_eq!(reason(json!(false)), Some(Reason::PolicyDenied));
    for value in [json!(null), json!("true"), json!(1), json!([true]), json!({}), json!({ "allowed": 1 })] {
        assert_eq!(reason(value.clone()), Some(Reason::PolicyFailed), "{value}");
    }
    assert!(matches!(decide(&Value::Undefined), Decision::Deny(d) if d.reason == Reason::PolicyUndefined));
}

#[test]
fn statuses_of_denials_never_mean_success() {
    for status in 0..=700_u16 {
        let value = json!({ "allowed": false, "http_status": status });
        if let Decision::Deny(denial) = decide(&Value::from(value)) {
            let accepted = denial.reason == Reason::PolicyDenied;
            assert_eq!(denial.status, accepted.then_some(status));
            assert!(!accepted || (300..600).contains(&status), "{status}");
        }
    }
    assert_eq!(reason(json!({ "allowed": false, "http_status": 403.5 })), Some(Reason::PolicyFailed));
    assert_eq!(reason(json!({ "allowed": false, "http_status": "403" })), Some(Reason::PolicyFailed));
    // Keys that do not apply are not looked at, as in the plugin.
    assert_eq!(reason(json!({ "allowed": true, "http_status": "x", "body": 1 })), None);
}

#[test]
fn edits_are_validated() {
    for (key, bad) in [
        ("headers", json!({ "x a": "1" })),
        ("headers", json!({ "": "1" })),
        ("headers", json!({ ":method": "1" })),
        ("headers", json!({ "x": "a\u{0}" })),
        ("headers", json!({ "x": ["a", 1] })),
        ("headers", json!("x")),
        ("headers", json!(["x"])),
        ("response_headers_to_add", json!({ "x": "a\nb" })),
        ("request_headers_to_remove", json!("x")),
        ("request_headers_to_remove", json!([":path"])),
        ("request_headers_to_remove", json!(["Host"])),
        ("query_parameters_to_set", json!([{ "a": "b" }])),
        ("query_parameters_to_remove", json!([1])),
        ("dynamic_metadata", json!([])),
    ] {
        assert_eq!(reason(json!({ "allowed": true, key: bad })), Some(Reason::PolicyFailed), "{key}: {bad}");
    }
    let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(reason(json!({ "allowed": true, "headers": { "x": many } })), Some(Reason::PolicyFailed));
    let value =
        json!({ "allowed": true, "query_parameters_to_set": { "a": ["1", "2"] }, "query_parameters_to_remove": ["b"] });
    let Decision::Allow(PolicyAllow { changes, metadata: None, limit: None, .. }) = decide(&Value::from(value)) else {
        panic!("denied")
    };
    assert_eq!(changes.query_set, [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]);
    assert_eq!(changes.query_remove, ["b"]);
}

#[test]
fn results_steer_the_limits() {
    let steer = |limit: serde_json::Value| match decide(&Value::from(json!({ "allowed": true, "limit": limit }))) {
        Decision::Allow(allow) => Ok(allow.limit.unwrap()),
        Decision::Deny(denial) => Err(denial.reason),
    };
    let all = LimitSteer { tier: Some("gold".to_owned()), cost: Some(3), factor: Some(0.5) };
    assert_eq!(steer(json!({ "tier": "gold", "cost": 3, "factor": 0.5 })), Ok(all));
    assert_eq!(steer(json!({})), Ok(LimitSteer::default()));
    assert_eq!(steer(json!({ "cost": 0 })).unwrap().cost, Some(0));
    for bad in [
        json!("gold"),
        json!(null),
        json!({ "tire": "gold" }),
        json!({ "tier": 1 }),
        json!({ "cost": -1 }),
        json!({ "cost": 1.5 }),
        json!({ "cost": 1_000_001 }),
        json!({ "factor": 0 }),
        json!({ "factor": -1 }),
        json!({ "factor": 1001 }),
        json!({ "factor": "2" }),
    ] {
        assert_eq!(steer(bad.clone()), Err(Reason::PolicyFailed), "{bad}");
    }
}

#[test]
fn results_ask_for_a_stronger_authentication() {
    let challenge = |challenge: serde_json::Value| match decide(&Value::from(
        json!({ "allowed": false, "challenge": challenge }),
    )) {
        Decision::Allow(_) => panic!("allowed"),
        Decision::Deny(denial) => (denial.reason, denial.challenge),
    };
    let (reason, found) = challenge(json!({ "acr_values": ["urn:mfa", "phr"], "max_age": 300 }));
    let found = found.unwrap();
    assert_eq!((reason, found.error), (Reason::StepUpRequired, Some("insufficient_user_authentication")));
    assert_eq!((found.acr_values.as_deref(), found.max_age), (Some("urn:mfa phr"), Some(300)));
    assert_eq!(challenge(json!({ "acr_values": "phr" })).1.unwrap().acr_values.as_deref(), Some("phr"));
    for bad in [
        json!(true),
        json!({ "acr": "x" }),
        json!({ "acr_values": [] }),
        json!({ "acr_values": "a\"b" }),
        json!({ "acr_values": ["a b"] }),
        json!({ "acr_values": "a\r\nx: y" }),
        json!({ "max_age": -1 }),
        json!({ "max_age": "300" }),
    ] {
        assert_eq!(challenge(bad.clone()), (Reason::PolicyFailed, None), "{bad}");
    }
}
