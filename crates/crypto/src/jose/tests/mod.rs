//! Headers and key sets.

mod signatures;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn header(json: &str) -> Result<JoseHeader, HeaderFault> {
    let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(json));
    split(&token)?.header()
}

#[test]
fn headers_are_read_strictly() {
    let good = header(r#"{"alg":"RS256","kid":"a","typ":"application/AT+JWT"}"#).unwrap();
    assert_eq!(
        (good.algorithm, good.kid.as_deref(), good.typ.as_deref()),
        (Algorithm::RS256, Some("a"), Some("at+jwt"))
    );
    for (json, fault) in [
        (r#"{"alg":"none"}"#, HeaderFault::Algorithm),
        (r#"{"alg":"None"}"#, HeaderFault::Algorithm),
        (r#"{"alg":"rs256"}"#, HeaderFault::Algorithm),
        (r#"{}"#, HeaderFault::Algorithm),
        (r#"{"alg":5}"#, HeaderFault::Malformed),
        (r#"{"alg":"RS256","alg":"HS256"}"#, HeaderFault::Malformed),
        (r#"{"alg":"RS256","kid":7}"#, HeaderFault::Malformed),
        (r#"{"alg":"RS256","crit":["exp"]}"#, HeaderFault::Critical),
        (r#"{"alg":"RS256","b64":false}"#, HeaderFault::Critical),
        (r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, HeaderFault::Encrypted),
        (r#"{"alg":"RS256","x":{"y":1,"y":2}}"#, HeaderFault::Malformed),
        (r#"{"alg":"RS256","typ":null}"#, HeaderFault::Malformed),
        (r#"{"alg":"RS256","crit":[]}"#, HeaderFault::Critical),
        (r#"{"alg":"RS256","zip":"DEF"}"#, HeaderFault::Encrypted),
        (r#"{"alg":"RS256"}{}"#, HeaderFault::Malformed),
        (r#"["alg"]"#, HeaderFault::Malformed),
        ("", HeaderFault::NotCompact),
    ] {
        assert_eq!(header(json), Err(fault), "{json}");
    }
}

#[test]
fn only_the_compact_form_is_split() {
    for (token, fault) in [
        ("", HeaderFault::NotCompact),
        ("a.b", HeaderFault::NotCompact),
        ("a.b.c.d", HeaderFault::NotCompact),
        ("a.b.c.d.e", HeaderFault::Encrypted),
        ("a..c", HeaderFault::NotCompact),
        ("a.b.", HeaderFault::NotCompact),
        ("a.b=.c", HeaderFault::NotCompact),
        ("a.b\n.c", HeaderFault::NotCompact),
        ("a.b+.c", HeaderFault::NotCompact),
    ] {
        assert_eq!(split(token).map(|_| ()), Err(fault), "{token:?}");
    }
}

/// A token brings no key of its own, whatever its header offers.
#[test]
fn keys_and_addresses_in_a_header_are_not_read() {
    let json =
        r#"{"alg":"RS256","jku":"https://evil.test/k","x5u":"https://evil.test/c","x5c":["AA"],"jwk":{"kty":"RSA"}}"#;
    let read = header(json).unwrap();
    assert_eq!(read, JoseHeader { algorithm: Algorithm::RS256, kid: None, typ: None });
}

#[test]
fn long_and_deep_headers_are_refused() {
    let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(10_000));
    assert_eq!(header(&long), Err(HeaderFault::Malformed));
    let deep = format!(r#"{{"alg":"RS256","x":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    assert_eq!(header(&deep), Err(HeaderFault::Malformed));
    let invisible = URL_SAFE_NO_PAD.encode(b"{\"alg\":\"RS256\",\"kid\":\"\xff\"}");
    assert_eq!(split(&format!("{invisible}.e30.c2ln")).unwrap().header(), Err(HeaderFault::Malformed));
}

#[test]
fn a_claim_stands_once_at_any_depth() {
    for (payload, fine) in [
        (r#"{"sub":"a"}"#, true),
        (r#"{"sub":"a","sub":"a"}"#, false),
        (r#"{"a":{"roles":[],"roles":["admin"]}}"#, false),
        (r#"{"a":[{"x":1,"x":2}]}"#, false),
        (r#"{"s\u0075b":"a","sub":"b"}"#, false),
        (r#"{"sub":"a"} x"#, false),
        (r#"["sub"]"#, false),
        ("null", false),
    ] {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        assert_eq!(split(&token).unwrap().claims().is_some(), fine, "{payload}");
    }
    let claims = split("e30.eyJhIjpbMSwtMiwzLjUsdHJ1ZSxudWxsLCJ4Il19.c2ln").unwrap().claims().unwrap();
    assert_eq!(serde_json::to_string(&claims).unwrap(), r#"{"a":[1,-2,3.5,true,null,"x"]}"#);
}

#[test]
fn unfit_keys_are_left_out_and_named() {
    let n2048 = URL_SAFE_NO_PAD.encode([0xff; 256]);
    let n1024 = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let even = URL_SAFE_NO_PAD.encode([0xfe; 256]);
    let x = URL_SAFE_NO_PAD.encode([1; 32]);
    let rsa = |rest: &str| format!(r#"{{"kty":"RSA","n":"{n2048}",{rest}}}"#);
    let bad = [
        (format!(r#"{{"kty":"RSA","n":"{n1024}","e":"AQAB","kid":"short"}}"#), "less than 2048"),
        (format!(r#"{{"kty":"RSA","n":"{even}","e":"AQAB"}}"#), "no RSA key"),
        (rsa(r#""e":"AQ""#), "no RSA key"),
        (rsa(r#""e":"Ag""#), "no RSA key"),
        (rsa(r#""e":"AQAAAAE""#), "no RSA key"),
        (rsa(r#""e":"A=""#), "base64url"),
        (rsa(r#""x":"AQAB""#), "missing"),
        (rsa(r#""e":"AQAB","d":"AQAB""#), "not a public key"),
        (rsa(r#""e":"AQAB","p":"AQAB""#), "not a public key"),
        (rsa(r#""e":"AQAB","use":"enc""#), "not for signatures"),
        (rsa(r#""e":"AQAB","use":["sig"]"#), "no text"),
        (rsa(r#""e":"AQAB","alg":"ES256""#), "does not fit"),
        (rsa(r#""e":"AQAB","alg":"RSA-OAEP""#), "not accepted"),
        (rsa(r#""e":"AQAB","alg":256"#), "no text"),
        (rsa(r#""e":"AQAB","kid":7"#), "no text"),
        (rsa(r#""e":"AQAB","key_ops":["sign"]"#), "not for verifying"),
        (rsa(r#""e":"AQAB","key_ops":"verify""#), "not for verifying"),
        (r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(), "not a public key"),
        (r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(), "curve is not accepted"),
        (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(), "coordinates"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}"}}"#), "no point"),
        (format!(r#"{{"kty":"OKP","crv":"Ed448","x":"{x}"}}"#), "curve is not accepted"),
        (r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.to_owned(), "no Ed25519 key"),
        (r#"{"kty":"AKP"}"#.to_owned(), "type is not accepted"),
        ("{}".to_owned(), "missing"),
        ("7".to_owned(), "no object"),
    ];
    let all: Vec<_> = bad.iter().map(|(key, _)| key.as_str()).collect();
    let good = rsa(r#""e":"AQAB","kid":"good","use":"sig","key_ops":["verify"]"#);
    let jwks = parse_jwks(format!(r#"{{"keys":[{},{good}]}}"#, all.join(",")).as_bytes()).unwrap();
    assert_eq!(jwks.keys.iter().map(|k| k.kid.as_deref()).collect::<Vec<_>>(), [Some("good")]);
    assert_eq!(jwks.skipped.len(), bad.len());
    for (i, ((key, why), said)) in bad.iter().zip(&jwks.skipped).enumerate() {
        assert!(said.starts_with(&format!("key {i}: ")) && said.contains(why), "{key}: {said}");
    }
    let key = &jwks.keys[0];
    assert!(key.fits(Algorithm::RS256) && key.fits(Algorithm::PS512));
    assert!(!key.fits(Algorithm::HS256) && !key.fits(Algorithm::ES256));
}

#[test]
fn what_is_no_key_set_is_refused() {
    for text in ["<html>", "", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(parse_jwks(text.as_bytes()).err(), Some(JwksError::Malformed), "{text}");
    }
    assert!(matches!(parse_jwks(br#"{"keys":[{}]}"#), Err(JwksError::Empty(_))));
    assert!(parse_jwks(br#"{"keys":[]}"#).unwrap().keys.is_empty(), "an issuer may take all its keys away");
    assert_eq!(parse_jwks(&vec![b' '; MAX_JWKS_BYTES + 1]).err(), Some(JwksError::TooLarge));
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 101].join(","));
    assert_eq!(parse_jwks(many.as_bytes()).err(), Some(JwksError::TooLarge));
}
