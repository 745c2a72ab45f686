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

#[test]
fn unfit_keys_are_left_out_and_named() {
    let n2048 = URL_SAFE_NO_PAD.encode([0xff; 256]);
    let n1024 = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let set = format!(
        r#"{{"keys":[
            {{"kty":"RSA","n":"{n2048}","e":"AQAB","kid":"good"}},
            {{"kty":"RSA","n":"{n1024}","e":"AQAB","kid":"short"}},
            {{"kty":"RSA","n":"{n2048}","e":"AQAB","d":"AQAB"}},
            {{"kty":"RSA","n":"{n2048}","e":"AQAB","use":"enc"}},
            {{"kty":"RSA","n":"{n2048}","e":"AQAB","alg":"ES256"}},
            {{"kty":"RSA","n":"{n2048}","e":"AQAB","key_ops":["sign"]}},
            {{"kty":"oct","k":"c2VjcmV0"}},
            {{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}}, 7]}}"#
    );
    let jwks = parse_jwks(set.as_bytes()).unwrap();
    assert_eq!(jwks.keys.iter().map(|k| k.kid.as_deref()).collect::<Vec<_>>(), [Some("good")]);
    assert_eq!(jwks.skipped.len(), 8);
    let key = &jwks.keys[0];
    assert!(key.fits(Algorithm::RS256) && key.fits(Algorithm::PS512));
    assert!(!key.fits(Algorithm::HS256) && !key.fits(Algorithm::ES256));
    assert!(!key.verify(Algorithm::RS256, "a.b", "c2ln"));
}

#[test]
fn what_is_no_key_set_is_refused() {
    assert_eq!(parse_jwks(b"<html>").err(), Some(JwksError::Malformed));
    assert_eq!(parse_jwks(b"{\"keys\":{}}").err(), Some(JwksError::Malformed));
    assert!(matches!(parse_jwks(b"{\"keys\":[{}]}"), Err(JwksError::Empty(_))));
    assert!(parse_jwks(b"{\"keys\":[]}").unwrap().keys.is_empty(), "an issuer may take all its keys away");
    assert_eq!(parse_jwks(&vec![b' '; MAX + 1]).err(), Some(JwksError::TooLarge));
}

const MAX: usize = 1024 * 1024;
