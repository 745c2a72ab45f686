//! One `ShouldRateLimit`.

use std::collections::BTreeSet;
use std::time::Duration;

use model::Timestamp;
use smallvec::SmallVec;

use super::load::quota;
use super::tree::{Match, Quota, Unit};
use crate::config::{RateLimits, ResponseHeadersConfig};
use crate::key::{Key, KeyBuilder};
use crate::limit::{Charge, Charging, LimitStatus};
use crate::store::{Store, StoreError};

/// A `RateLimitRequest` (envoy.service.ratelimit.v3) without its protobuf.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsRequest<'a> {
    /// `domain`.
    pub domain: &'a str,
    /// `descriptors`.
    pub descriptors: SmallVec<[RlsDescriptor<'a>; 4]>,
    /// `hits_addend`; 0 counts as 1.
    pub hits_addend: u32,
}

/// A `RateLimitDescriptor`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsDescriptor<'a> {
    /// `entries`: key and value.
    pub entries: SmallVec<[(&'a str, &'a str); 4]>,
    /// `limit`: overrides every rule.
    pub limit: Option<Override>,
    /// `hits_addend` of this descriptor; an explicit 0 asks without counting.
    pub hits_addend: Option<u64>,
    /// `is_negative_hits`: the hits are given back. They are answered OK and not acted on.
    pub is_negative_hits: bool,
}

/// A limit that the caller brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Override {
    /// `requests_per_unit`.
    pub requests_per_unit: u32,
    /// Number of the unit.
    pub unit: i32,
}

/// A `RateLimitResponse`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsResponse {
    /// `overall_code` is `OVER_LIMIT`.
    pub over_limit: bool,
    /// `statuses`, one per descriptor.
    pub statuses: SmallVec<[RlsStatus; 4]>,
    /// `response_headers_to_add`: name and value.
    pub response_headers: Vec<(String, String)>,
}

/// A `DescriptorStatus`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RlsStatus {
    /// `code` is `OVER_LIMIT`.
    pub over: bool,
    /// `current_limit`; absent when no limit applies.
    pub current_limit: Option<RlsLimit>,
    /// `limit_remaining`.
    pub remaining: u32,
    /// `duration_until_reset`.
    pub reset_after: Option<Duration>,
}

/// `RateLimitResponse.RateLimit`.
#[derive(Debug, Clone, PartialEq)]
pub struct RlsLimit {
    /// `name`.
    pub name: Option<String>,
    /// `requests_per_unit`.
    pub requests_per_unit: u32,
    /// `unit`.
    pub unit: Unit,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RlsError {
    /// `domain` is empty.
    #[error("rate limit domain must not be empty")]
    EmptyDomain,
    /// There are no descriptors.
    #[error("rate limit descriptor list must not be empty")]
    EmptyDescriptors,
    /// More than 256 descriptors.
    #[error("too many descriptors")]
    TooManyDescriptors,
    /// An override names a unit that does not exist.
    #[error("the limit override has an unknown unit {0}")]
    InvalidOverride(i32),
    /// More hits than a counter holds.
    #[error("hits_addend is too large")]
    TooManyHits,
    /// The store is lost.
    #[error("the limit store is unavailable")]
    StoreLost,
}

/// The most descriptors of one request.
const MOST_DESCRIPTORS: usize = 256;

/// What is asked for one descriptor.
struct Asked<'t> {
    name: Option<&'t str>,
    replaces: &'t [String],
    shadow: bool,
    is_quota: bool,
    quota: std::borrow::Cow<'t, Quota>,
    hits: u64,
    key: Key,
}

/// Answers a request: which rule each descriptor means, then one charge for all of them, each for itself.
///
/// # Errors
/// [`RlsError`] when the request is not one that the service defines, or the store is lost. A full store is over the limit.
pub fn should_rate_limit(
    limits: &RateLimits,
    store: &dyn Store,
    request: &RlsRequest<'_>,
    now: Timestamp,
) -> Result<RlsResponse, RlsError> {
    if request.domain.is_empty() {
        return Err(RlsError::EmptyDomain);
    }
    if request.descriptors.is_empty() {
        return Err(RlsError::EmptyDescriptors);
    }
    if request.descriptors.len() > MOST_DESCRIPTORS {
        return Err(RlsError::TooManyDescriptors);
    }
    let mut asked: SmallVec<[Option<Asked<'_>>; 4]> = SmallVec::new();
    for descriptor in &request.descriptors {
        asked.push(ask(limits, request, descriptor)?);
    }
    replace(&mut asked);
    let charges: SmallVec<[Charge<'_>; 4]> = asked.iter().flatten().filter_map(Asked::charge).collect();
    let charged = match store.charge(&charges, Charging::Each, now) {
        Ok(charged) => charged,
        Err(StoreError::Lost(_)) => return Err(RlsError::StoreLost),
        // Nothing is let in uncounted.
        Err(StoreError::Full) => return Ok(all_over(&asked)),
    };
    let mut charged = charged.into_iter();
    let statuses: SmallVec<[RlsStatus; 4]> = asked.iter().map(|a| status(a.as_ref(), &mut charged, now)).collect();
    let over_limit = is_over(&asked, &statuses);
    let response_headers =
        limits.response_headers.as_ref().map_or_else(Vec::new, |names| headers(names, &asked, &statuses));
    Ok(RlsResponse { over_limit, statuses, response_headers })
}

/// One limit that is over is enough; quotas refuse only when all of them are over.
fn is_over(asked: &[Option<Asked<'_>>], statuses: &[RlsStatus]) -> bool {
    let is_quota = |asked: &Option<Asked<'_>>| asked.as_ref().is_some_and(|asked| asked.is_quota);
    let mut quotas = asked.iter().zip(statuses).filter(|(asked, _)| is_quota(asked)).peekable();
    let limits_over = asked.iter().zip(statuses).any(|(asked, status)| !is_quota(asked) && status.over);
    limits_over || (quotas.peek().is_some() && quotas.all(|(_, status)| status.over))
}

fn ask<'t>(
    limits: &'t RateLimits,
    request: &RlsRequest<'_>,
    descriptor: &RlsDescriptor<'_>,
) -> Result<Option<Asked<'t>>, RlsError> {
    let hits = descriptor.hits_addend.unwrap_or_else(|| u64::from(request.hits_addend.max(1)));
    if hits > i64::MAX as u64 {
        return Err(RlsError::TooManyHits);
    }
    let root = limits.descriptors().domains.get(request.domain);
    let unit = descriptor
        .limit
        .map(|o| Unit::ALL.into_iter().find(|u| u.number() == o.unit).ok_or(RlsError::InvalidOverride(o.unit)));
    let unit = unit.transpose()?;
    let Some(root) = root.filter(|_| !descriptor.is_negative_hits) else { return Ok(None) };
    let key = |shared: &[Option<&str>]| {
        let start = KeyBuilder::new("rls").part(request.domain.as_bytes());
        let parts = descriptor.entries.iter().zip(shared.iter().copied().chain(std::iter::repeat(None)));
        parts
            .fold(start, |key, ((k, v), pattern)| key.part(k.as_bytes()).part(pattern.unwrap_or(v).as_bytes()))
            .finish()
    };
    if let (Some(limit), Some(unit)) = (descriptor.limit, unit) {
        let quota = std::borrow::Cow::Owned(quota(limit.requests_per_unit, unit, "override"));
        return Ok(Some(Asked {
            name: None,
            replaces: &[],
            shadow: false,
            is_quota: false,
            quota,
            hits,
            key: key(&[]),
        }));
    }
    Ok(root.find(&descriptor.entries).map(|Match { rule, shared }| Asked {
        name: rule.name.as_deref(),
        replaces: &rule.replaces,
        shadow: rule.shadow,
        is_quota: rule.is_quota,
        quota: std::borrow::Cow::Borrowed(&rule.quota),
        hits,
        key: key(&shared),
    }))
}

/// Drops the limits that other matched limits replace by name.
fn replace(asked: &mut [Option<Asked<'_>>]) {
    let replaced: BTreeSet<String> = asked.iter().flatten().flat_map(|a| a.replaces.iter().cloned()).collect();
    if replaced.is_empty() {
        return;
    }
    for slot in asked {
        if slot.as_ref().and_then(|a| a.name).is_some_and(|name| replaced.contains(name)) {
            *slot = None;
        }
    }
}

impl Asked<'_> {
    fn charge(&self) -> Option<Charge<'_>> {
        match self.quota.as_ref() {
            Quota::Limited { limit, .. } => Some(Charge { limit, key: &self.key, hits: self.hits }),
            Quota::Unlimited | Quota::Nothing(_) => None,
        }
    }

    fn current_limit(&self) -> Option<RlsLimit> {
        let (requests_per_unit, unit) = match self.quota.as_ref() {
            Quota::Unlimited => return None,
            Quota::Nothing(unit) => (0, *unit),
            Quota::Limited { requests_per_unit, unit, .. } => (*requests_per_unit, *unit),
        };
        Some(RlsLimit { name: self.name.map(str::to_owned), requests_per_unit, unit })
    }
}

fn status(asked: Option<&Asked<'_>>, charged: &mut impl Iterator<Item = LimitStatus>, now: Timestamp) -> RlsStatus {
    let Some(asked) = asked else { return RlsStatus::default() };
    let current_limit = asked.current_limit();
    let (over, remaining, reset_after) = match asked.quota.as_ref() {
        Quota::Unlimited => return RlsStatus { remaining: u32::MAX, ..RlsStatus::default() },
        Quota::Nothing(unit) => (asked.hits > 0, 0, Some(until_next(*unit, now))),
        Quota::Limited { .. } => match charged.next() {
            Some(s) => (
                s.over,
                u32::try_from(if s.over { 0 } else { s.remaining }).unwrap_or(u32::MAX),
                Some(whole(s.reset_after)),
            ),
            // One status per charge is the store's promise; without it nothing passes.
            None => (true, 0, None),
        },
    };
    let over = over && !asked.shadow;
    RlsStatus { over, current_limit, remaining, reset_after }
}

/// The time to the next window, which are aligned to the clock.
fn until_next(unit: Unit, now: Timestamp) -> Duration {
    let period = unit.period().as_secs();
    let into = u64::try_from(now.as_secs()).unwrap_or(0) % period;
    Duration::from_secs(period - into)
}

/// Whole seconds, as envoyproxy/ratelimit states them.
fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

fn all_over(asked: &[Option<Asked<'_>>]) -> RlsResponse {
    let statuses = asked.iter().map(|a| match a {
        None => RlsStatus::default(),
        Some(a) => RlsStatus {
            over: !matches!(*a.quota, Quota::Unlimited),
            current_limit: a.current_limit(),
            ..RlsStatus::default()
        },
    });
    RlsResponse { over_limit: true, statuses: statuses.collect(), response_headers: Vec::new() }
}

/// Of the last limit that is over, or else of the first of those with the least left. A quota that is over counts as one with nothing
/// left; an unlimited one has none.
fn headers(
    names: &ResponseHeadersConfig,
    asked: &[Option<Asked<'_>>],
    statuses: &[RlsStatus],
) -> Vec<(String, String)> {
    let limited = || {
        let pairs = asked.iter().zip(statuses).filter_map(|(asked, status)| Some((asked.as_ref()?, status)));
        pairs.filter_map(|(asked, status)| Some((asked, status, status.current_limit.as_ref()?)))
    };
    let over = limited().rfind(|(asked, status, _)| status.over && !asked.is_quota);
    let Some((_, status, limit)) = over.or_else(|| limited().min_by_key(|(_, status, _)| status.remaining)) else {
        return Vec::new();
    };
    let reset = status.reset_after.map_or(0, |time| time.as_secs());
    vec![
        (names.limit.clone(), limit.requests_per_unit.to_string()),
        (names.remaining.clone(), status.remaining.to_string()),
        (names.reset.clone(), reset.to_string()),
    ]
}
