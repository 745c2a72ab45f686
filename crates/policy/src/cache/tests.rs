use super::*;

const LIMITS: CacheLimits = CacheLimits { bytes: 64 << 10, max_age: Duration::from_secs(60) };

fn allow() -> Decision {
    Decision::Allow(PolicyAllow::default())
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[test]
fn memory_is_bounded_and_what_is_used_stays() {
    let mut cache = DecisionCache::default();
    for n in 0_u32..100_000 {
        cache.keep(&n.to_be_bytes(), &allow(), at(1), LIMITS);
        if n % 10 == 0 {
            cache.find(&0_u32.to_be_bytes(), at(1), LIMITS);
        }
        assert!(cache.bytes() <= LIMITS.bytes, "{n}");
    }
    assert!(cache.find(&0_u32.to_be_bytes(), at(1), LIMITS).is_some(), "used all the time");
    assert!(cache.find(&1_u32.to_be_bytes(), at(1), LIMITS).is_none(), "used never");
}

#[test]
fn a_decision_that_is_too_large_is_not_kept() {
    let mut cache = DecisionCache::default();
    let large = Decision::Deny(Denial { body: Some("x".repeat(LIMITS.bytes)), ..Denial::default() });
    cache.keep(b"k", &large, at(1), LIMITS);
    assert!(cache.find(b"k", at(1), LIMITS).is_none());
}

#[test]
fn age_is_counted_from_when_it_was_made() {
    let mut cache = DecisionCache::default();
    cache.keep(b"k", &allow(), at(100), LIMITS);
    assert!(cache.find(b"k", at(160), LIMITS).is_some());
    assert!(cache.find(b"k", at(161), LIMITS).is_none());
    assert!(cache.find(b"k", at(99), LIMITS).is_none());
    cache.keep(b"k", &allow(), at(161), LIMITS);
    assert!(cache.find(b"k", at(200), LIMITS).is_some());
}
