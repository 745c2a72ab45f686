//! `limit:` of a route or shield.

use config::{Path, Problems};
use ratelimit::{Limit, LimitConfig, MissingKey, PerConfig, Rate};

use super::{Builder, check_name};
use crate::config::LimitList;
use crate::stages::limit::{LimitSource, Per, RouteLimit, TierName, Tiers};
use crate::template::Template;

/// Where a limit is charged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    BeforeIdentity,
    AfterIdentity,
}

impl Builder<'_> {
    pub(super) fn limits(
        &self,
        list: Option<&LimitList>,
        route: &str,
        captures: &[String],
        at: &Path,
        which: Which,
        problems: &mut Problems,
    ) -> Vec<RouteLimit> {
        let list = list.map_or(&[][..], |l| l.0.as_slice());
        let mut limits = Vec::new();
        for (i, config) in list.iter().enumerate() {
            // One limit stands without brackets, most of the time.
            let at = if list.len() == 1 { at.clone() } else { at.index(i) };
            let shield = which == Which::BeforeIdentity;
            if shield && matches!(config.per, PerConfig::Principal | PerConfig::Tenant) {
                problems.error(&at.key("per"), "nobody is known yet here: use client_address, route or { header: … }");
            }
            if let Some(name) = &config.name {
                check_name(name, &at.key("name"), problems);
            }
            let stage = if shield { "shield" } else { "limit" };
            let scope = config.name.clone().unwrap_or_else(|| format!("{route}/{stage}{i}"));
            if let Some(source) = self.source(config, &scope, captures, &at, problems) {
                limits.push(RouteLimit {
                    source,
                    per: per(&config.per),
                    falls_back: config.missing == MissingKey::Address,
                });
            }
        }
        limits
    }

    fn source(
        &self,
        config: &LimitConfig,
        scope: &str,
        captures: &[String],
        at: &Path,
        problems: &mut Problems,
    ) -> Option<LimitSource> {
        match (&config.tier, config.rates.is_empty()) {
            (Some(_), false) => problems.error(at, "write `tier` or `rates`, not both"),
            (None, true) => problems.error(at, "missing: write `tier: <name>` or `rates: [100/minute]`"),
            (None, false) => return Some(LimitSource::Fixed(made(scope, &config.rates, config))),
            (Some(text), true) => {
                let at = at.key("tier");
                let template = Template::compile(text, captures, &at, problems)?;
                let Some(name) = template.literal() else {
                    return Some(LimitSource::Tier(TierName::Template(template), self.tiers(config)));
                };
                let tiers = self.tiers(config);
                if let Some(list) = tiers.get(name).cloned() {
                    return Some(LimitSource::Tier(TierName::Literal(list), tiers));
                }
                problems.error(&at, format!("there is no tier `{name}` in `ratelimit.tiers`"));
            }
        }
        None
    }

    /// The limits of every tier, by name.
    fn tiers(&self, config: &LimitConfig) -> Tiers {
        let names = self.parts.limits.tier_names();
        let tiers = names.filter_map(|name| {
            let rates = self.parts.limits.tier(name)?;
            Some((name.to_owned(), made(&tier_scope(name, config), rates, config)))
        });
        tiers.collect()
    }
}

/// A tier's limits are one account wherever the tier is used, unless the limit has a name of its own.
fn tier_scope(tier: &str, config: &LimitConfig) -> String {
    config.name.clone().unwrap_or_else(|| format!("tier/{tier}"))
}

fn made(scope: &str, rates: &[Rate], config: &LimitConfig) -> Vec<Limit> {
    rates.iter().map(|rate| Limit::new(scope, *rate, config.algorithm, config.burst)).collect()
}

fn per(config: &PerConfig) -> Per {
    match config {
        PerConfig::Principal => Per::Principal,
        PerConfig::Tenant => Per::Tenant,
        PerConfig::ClientAddress => Per::ClientAddress,
        PerConfig::Route => Per::Route,
        PerConfig::Header(name) => Per::Header(name.to_ascii_lowercase()),
    }
}
