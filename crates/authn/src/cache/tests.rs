use std::sync::Arc;

use crypto::jose::Jwk;
use model::Principal;

use super::*;

const ISSUER: Fingerprint = [1; 32];

fn keys() -> (KeySet, Arc<Jwk>) {
    let key = Arc::new(Jwk::secret(&[7; 32]));
    (KeySet::fixed(Arc::clone(&key)), key)
}

fn verified(subject: &str, key: &Arc<Jwk>) -> Verified {
    let principal = Arc::new(Principal { subject: subject.into(), ..Principal::default() });
    Verified { principal, validity: Validity { until: 10, from: 0 }, key: Arc::clone(key) }
}

fn subject(cache: &TokenCache, issuer: &Fingerprint, token: &str, keys: &KeySet) -> Option<String> {
    cache.find(issuer, token, keys).map(|(principal, _)| principal.subject.to_string())
}

#[test]
fn a_hit_is_the_same_token_under_the_same_configuration() {
    let cache = TokenCache::new();
    cache.resize(1 << 20);
    let (set, key) = keys();
    cache.insert(&ISSUER, "token", verified("alice", &key));
    assert_eq!(subject(&cache, &ISSUER, "token", &set).as_deref(), Some("alice"));
    assert_eq!(subject(&cache, &ISSUER, "toke", &set), None);
    assert_eq!(subject(&cache, &ISSUER, "tokenx", &set), None);
    assert_eq!(subject(&cache, &[2; 32], "token", &set), None);
}

#[test]
fn a_token_leaves_with_its_key() {
    let cache = TokenCache::new();
    cache.resize(1 << 20);
    let (set, key) = keys();
    cache.insert(&ISSUER, "token", verified("alice", &key));
    // The same secret read again is another key: the token is verified anew.
    let (other, _) = keys();
    assert_eq!(subject(&cache, &ISSUER, "token", &other), None);
    assert_eq!(cache.bytes(), 0);
    assert_eq!(subject(&cache, &ISSUER, "token", &set), None, "it does not come back");
}

#[test]
fn the_same_token_is_kept_once() {
    let cache = TokenCache::new();
    cache.resize(1 << 20);
    let (set, key) = keys();
    cache.insert(&ISSUER, "token", verified("alice", &key));
    let once = cache.bytes();
    cache.insert(&ISSUER, "token", verified("alice", &key));
    assert_eq!(cache.bytes(), once);
    assert!(subject(&cache, &ISSUER, "token", &set).is_some());
}

#[test]
fn its_size_is_bounded_whatever_comes() {
    const MOST: usize = 1 << 20;
    let cache = TokenCache::new();
    cache.resize(MOST);
    let (set, key) = keys();
    for n in 0..20_000 {
        let token = format!("{n}{}", "x".repeat(n % 3000));
        cache.insert(&ISSUER, &token, verified("alice", &key));
        assert!(n % 500 != 0 || cache.bytes() <= MOST, "{} bytes", cache.bytes());
    }
    assert!(cache.bytes() > MOST / 2 && cache.bytes() <= MOST);
    cache.insert(&ISSUER, &"y".repeat(MOST), verified("alice", &key));
    assert_eq!(subject(&cache, &ISSUER, &"y".repeat(MOST), &set), None, "one that takes all the room is not kept");
    cache.resize(MOST / 4);
    assert!(cache.bytes() <= MOST / 4);
    cache.resize(0);
    assert_eq!(cache.bytes(), 0);
    cache.insert(&ISSUER, "token", verified("alice", &key));
    assert_eq!(subject(&cache, &ISSUER, "token", &set), None);
}

#[test]
fn what_is_in_use_outlives_a_flood() {
    let cache = TokenCache::new();
    cache.resize(1 << 20);
    let (set, key) = keys();
    cache.insert(&ISSUER, "busy", verified("alice", &key));
    for n in 0..20_000 {
        cache.insert(&ISSUER, &format!("once {n}"), verified("bob", &key));
        assert!(subject(&cache, &ISSUER, "busy", &set).is_some(), "gone after {n} others");
    }
}

#[test]
fn what_a_principal_holds_is_counted() {
    let bare = Principal { subject: "alice".into(), ..Principal::default() };
    let mut rich = Principal { subject: "alice".into(), ..Principal::default() };
    rich.roles = (0..100).map(|n| format!("role {n}").into()).collect();
    rich.attributes.insert("list".to_owned(), serde_json::json!([{ "deep": "x".repeat(1000) }]));
    let (bare, rich) = (size::of("token", &bare), size::of("token", &rich));
    assert!(bare > size_of::<Entry>() + size_of::<Principal>());
    assert!(rich > bare + 3 * (1000 + 100 * 40), "{rich} against {bare}");
}
