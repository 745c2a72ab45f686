use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn budget(each: u32, total: u32) -> FailureBudget {
    let budget = FailureBudget::new();
    budget.resize(each, total, MINUTE);
    budget
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn a_source_waits_until_its_period_is_over() {
    let budget = budget(3, 1000);
    for n in 0..3 {
        assert_eq!(budget.spent(ip("10.0.0.1"), at(100 + n)), None);
        budget.failed(ip("10.0.0.1"), at(100 + n));
    }
    assert_eq!(budget.spent(ip("10.0.0.1"), at(110)), Some(Duration::from_secs(50)));
    assert_eq!(budget.spent(ip("10.0.0.2"), at(110)), None, "another one is not concerned");
    assert_eq!(budget.spent(None, at(110)), None);
    assert_eq!(budget.spent(ip("10.0.0.1"), at(160)), None);
    budget.failed(ip("10.0.0.1"), at(160));
    assert_eq!(budget.spent(ip("10.0.0.1"), at(160)), None, "it begins anew");
}

#[test]
fn one_subscriber_is_one_source() {
    let budget = budget(2, 1000);
    budget.failed(ip("2001:db8:1:2::1"), at(0));
    budget.failed(ip("2001:db8:1:2:ffff::9"), at(0));
    assert!(budget.spent(ip("2001:db8:1:2::77"), at(1)).is_some());
    assert!(budget.spent(ip("2001:db8:1:3::1"), at(1)).is_none());
    budget.failed(ip("10.0.0.1"), at(0));
    budget.failed(ip("::ffff:10.0.0.1"), at(0));
    assert!(budget.spent(ip("10.0.0.1"), at(1)).is_some(), "the same address in its other form");
    assert!(budget.spent(ip("10.0.0.2"), at(1)).is_none());
}

#[test]
fn requests_without_an_address_share_one_budget() {
    let budget = budget(2, 1000);
    budget.failed(None, at(0));
    budget.failed(None, at(0));
    assert!(budget.spent(None, at(1)).is_some());
    assert!(budget.spent(ip("10.0.0.1"), at(1)).is_none());
}

/// 200,000 addresses: memory stays as it is, whoever has failed most is remembered, and all together run out.
#[test]
fn a_flood_from_everywhere_ends_at_the_total() {
    let budget = budget(5, 100_000);
    for _ in 0..5 {
        budget.failed(ip("192.0.2.1"), at(0));
    }
    for n in 0..99_994_u32 {
        budget.failed(Some(IpAddr::V4(Ipv4Addr::from_bits(n))), at(1));
    }
    assert!(budget.spent(ip("192.0.2.1"), at(2)).is_some());
    assert!(budget.spent(ip("198.51.100.7"), at(2)).is_none(), "somebody new is not concerned yet");
    for n in 0..10_u128 {
        budget.failed(Some(IpAddr::V6(Ipv6Addr::from_bits((0x2001 << 112) | (n << 64)))), at(2));
    }
    assert!(budget.spent(ip("198.51.100.7"), at(3)).is_some(), "all together have nothing left");
    assert!(budget.spent(ip("198.51.100.7"), at(60)).is_none());
}

#[test]
fn a_clock_that_goes_back_frees_nobody() {
    let budget = budget(1, 1000);
    budget.failed(ip("10.0.0.1"), at(1000));
    assert_eq!(budget.spent(ip("10.0.0.1"), at(10)), Some(MINUTE));
}
