//! How much: all limits of a route are checked and charged together, all or nothing.

use std::borrow::Cow;
use std::time::Duration;

use hashbrown::HashMap;
use model::{Denial, Identity, Reason, Stage};
use policy::LimitSteer;
use ratelimit::{Charge, Charging, KeyBuilder, Limit, LimitStatus, StoreError};
use smallvec::SmallVec;

use crate::check::Services;
use crate::journey::Journey;
use crate::template::Template;

/// One `limit:` of a route, ready to charge.
pub(crate) struct RouteLimit {
    pub(crate) source: LimitSource,
    pub(crate) per: Per,
    /// `missing: address`: the client's address stands in for a missing key or tier.
    pub(crate) falls_back: bool,
}

pub(crate) enum LimitSource {
    Fixed(Vec<Limit>),
    Tier(TierName, Tiers),
}

/// The limits of every tier, by name.
pub(crate) type Tiers = HashMap<String, Vec<Limit>, foldhash::fast::RandomState>;

pub(crate) enum TierName {
    /// One for all requests; its limits.
    Literal(Vec<Limit>),
    /// It differs by request.
    Template(Template),
}

pub(crate) enum Per {
    Principal,
    Tenant,
    ClientAddress,
    Route,
    Header(String),
}

/// What is left of the tightest limit, for the headers of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    pub(crate) name: String,
    pub(crate) limit: u64,
    pub(crate) period: Duration,
    pub(crate) remaining: u64,
    pub(crate) reset_after: Duration,
}

/// `steer` is what the policy said of it.
pub(crate) fn limit(steer: Option<&LimitSteer>, services: &Services, journey: &mut Journey<'_>) -> Result<(), Denial> {
    let route = journey.route.ok_or(Reason::Internal)?;
    if let Some(tier) = steer.and_then(|steer| steer.tier.as_deref())
        && !route.limits.iter().any(|limit| matches!(limit.source, LimitSource::Tier(..)))
    {
        return Err(Denial::new(Reason::TierUnknown)
            .because(format!("the policy names the tier {tier}, and the route has no limit by tier")));
    }
    if route.limits.is_empty() || (journey.preflight && route.preflight_passes) {
        return Ok(());
    }
    charge(&route.limits, steer, Stage::Limit, services, journey).or_else(|denial| journey.tolerate(denial))
}

type Key = SmallVec<[u8; 64]>;

/// Charges every limit of a list in one call to the store.
pub(crate) fn charge(
    limits: &[RouteLimit],
    steer: Option<&LimitSteer>,
    stage: Stage,
    services: &Services,
    journey: &mut Journey<'_>,
) -> Result<(), Denial> {
    let factor = steer.and_then(|steer| steer.factor);
    let mut due: SmallVec<[(Cow<'_, Limit>, Key); 4]> = SmallVec::new();
    for limit in limits {
        let (list, key) = limit.due(steer, journey)?;
        due.extend(list.iter().map(|limit| {
            let limit = factor.map_or(Cow::Borrowed(limit), |factor| Cow::Owned(limit.scaled(factor)));
            (limit, key.clone())
        }));
    }
    let hits = steer.and_then(|steer| steer.cost).unwrap_or(1);
    let charges: SmallVec<[Charge<'_>; 4]> =
        due.iter().map(|(limit, key)| Charge { limit, key: key.as_slice(), hits }).collect();
    let statuses =
        services.store.charge(&charges, Charging::AllOrNone, journey.ctx.now).map_err(|fault| match fault {
            StoreError::Full => Denial::from(Reason::LimitStoreFull),
            StoreError::Lost(_) => Denial::from(Reason::LimitStoreLost),
        })?;
    for ((limit, _), status) in due.iter().zip(&statuses) {
        journey.trace.note(stage, || told(limit, status));
    }
    let tightest =
        due.iter().zip(&statuses).min_by_key(|(_, s)| (!s.over, s.remaining, std::cmp::Reverse(s.reset_after)));
    journey.quota = tightest.map(|((limit, _), status)| quota(limit, status));
    let over = statuses.iter().filter(|s| s.over).map(|s| s.retry_after).max();
    match over {
        None => Ok(()),
        Some(retry_after) => Err(Denial { retry_after: Some(retry_after), ..Denial::new(Reason::RateLimited) }),
    }
}

fn told(limit: &Limit, status: &LimitStatus) -> String {
    let outcome = if status.over { "is exhausted" } else { "passes" };
    format!("limit `{}` ({}) {outcome}, {} left", limit.name(), limit.rate(), status.remaining)
}

fn quota(limit: &Limit, status: &LimitStatus) -> Quota {
    Quota {
        name: limit.name().to_owned(),
        limit: status.limit,
        period: limit.rate().period,
        remaining: status.remaining,
        reset_after: status.reset_after,
    }
}

impl RouteLimit {
    /// The limits that apply and the key to charge. What is missing is a denial or the client's address, never a shared bucket.
    fn due(&self, steer: Option<&LimitSteer>, journey: &Journey<'_>) -> Result<(&[Limit], Key), Denial> {
        let missing = |what: &'static str| Denial::new(Reason::LimitKeyMissing).because(what);
        let list = match (&self.source, steer.and_then(|steer| steer.tier.as_deref())) {
            (LimitSource::Fixed(list), _) => list.as_slice(),
            (LimitSource::Tier(_, tiers), Some(name)) => {
                let unknown = || Denial::new(Reason::TierUnknown).because(format!("the policy names the tier {name}"));
                tiers.get(name).ok_or_else(unknown)?.as_slice()
            }
            (LimitSource::Tier(TierName::Literal(list), _), None) => list.as_slice(),
            (LimitSource::Tier(TierName::Template(template), tiers), None) => {
                let tier = template.render(journey).and_then(|name| tiers.get(&name));
                tier.ok_or_else(|| missing("the tier is missing or unknown"))?.as_slice()
            }
        };
        match self.per.key(journey) {
            Some(key) => Ok((list, key)),
            None if self.falls_back => Per::ClientAddress
                .key(journey)
                .map(|key| (list, key))
                .ok_or_else(|| missing("there is no client address")),
            None => Err(missing("what the limit is keyed by is missing")),
        }
    }
}

impl Per {
    /// An injective encoding of what the limit is keyed by, tenant included; `None` when it is missing.
    fn key(&self, journey: &Journey<'_>) -> Option<Key> {
        let tenant = journey.ctx.tenant.as_deref().unwrap_or_default();
        let key = match self {
            Self::Principal => {
                let principal = journey.identity.as_ref().and_then(Identity::principal)?;
                KeyBuilder::new("principal")
                    .part(tenant.as_bytes())
                    .part(principal.issuer.as_bytes())
                    .part(principal.subject.as_bytes())
            }
            Self::Tenant => KeyBuilder::new("tenant").part(journey.ctx.tenant.as_deref()?.as_bytes()),
            Self::ClientAddress => {
                let address = journey.ctx.client_address?;
                let octets: SmallVec<[u8; 16]> = match address {
                    std::net::IpAddr::V4(v4) => v4.octets().into_iter().collect(),
                    std::net::IpAddr::V6(v6) => v6.octets().into_iter().collect(),
                };
                KeyBuilder::new("address").part(tenant.as_bytes()).part(&octets)
            }
            Self::Route => KeyBuilder::new("route").part(tenant.as_bytes()).part(journey.route?.name.as_bytes()),
            Self::Header(name) => KeyBuilder::new("header")
                .part(tenant.as_bytes())
                .part(name.as_bytes())
                .part(journey.ctx.header(name)?.as_bytes()),
        };
        Some(key.finish())
    }
}
