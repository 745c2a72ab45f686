//! Tenant, scopes, roles, permissions, Rego. Yields the [`Permit`], which nothing else can.

use std::sync::Arc;

use model::{Challenge, Denial, Identity, Principal, Reason, Stage};
use policy::{LimitSteer, PolicyAllow, PolicyInput};

use crate::check::Services;
use crate::journey::Journey;
use crate::snapshot::{RegoRule, Route, Snapshot};

/// Proof that the authorise stage let a request pass. `respond` cannot be called without one.
#[derive(Debug)]
pub(crate) struct Permit {
    changes: Option<PolicyAllow>,
}

impl Permit {
    /// What the policy wants changed.
    pub(crate) fn changes(&self) -> Option<&PolicyAllow> {
        self.changes.as_ref()
    }

    /// How the policy wants the request to be limited.
    pub(crate) fn steer(&self) -> Option<&LimitSteer> {
        self.changes.as_ref()?.limit.as_ref()
    }
}

pub(crate) async fn authorise(
    snapshot: &Snapshot,
    services: &Services,
    journey: &mut Journey<'_>,
) -> Result<Permit, Denial> {
    let route = journey.route.ok_or(Reason::Internal)?;
    if journey.preflight && route.preflight_passes {
        return Ok(Permit { changes: None });
    }
    // Missing means that authenticate did not run: that must never look like somebody anonymous.
    let identity = journey.identity.clone().ok_or(Reason::Internal)?;
    same_tenant(&identity, journey)?;
    check_rules(snapshot, route, identity.principal().map(AsRef::as_ref))?;
    let (entry, rule) = match &route.rules.rego {
        None => {
            journey.trace.note(Stage::Authorise, || "scopes, roles and permissions are as the route asks".to_owned());
            return Ok(Permit { changes: None });
        }
        Some(RegoRule::One(entry, rule)) => (entry, rule),
        Some(RegoRule::Select(by, rules)) => {
            let chosen = by.render(journey).and_then(|name| rules.get(&name));
            let (entry, rule) = chosen.ok_or_else(|| {
                Denial::new(Reason::PolicyUndefined).because("no rule is chosen by what the route selects with")
            })?;
            (entry, rule)
        }
    };
    journey.in_time()?;
    let input = PolicyInput {
        request: &journey.ctx,
        identity: &identity,
        route: &route.value,
        generation: snapshot.generation,
    };
    let mut allow = snapshot.policy.decide(*entry, &input, &mut journey.trace).await?;
    services.metrics.policy_cache(allow.cached);
    journey.policy_cached = Some(allow.cached);
    journey.metadata = allow.metadata.take();
    journey.trace.note(Stage::Authorise, || format!("{rule} allows{}", if allow.cached { " (cached)" } else { "" }));
    Ok(Permit { changes: Some(allow) })
}

/// On a tenant's route only principals of that tenant pass; one without a tenant is of no tenant.
fn same_tenant(identity: &Identity, journey: &Journey<'_>) -> Result<(), Denial> {
    let (Some(tenant), Some(principal)) = (&journey.ctx.tenant, identity.principal()) else { return Ok(()) };
    if principal.tenant.as_ref() == Some(tenant) {
        return Ok(());
    }
    Err(Denial::new(Reason::TenantMismatch).because("the principal is of another tenant, or of none"))
}

fn check_rules(snapshot: &Snapshot, route: &Route, principal: Option<&Principal>) -> Result<(), Denial> {
    let rules = &route.rules;
    let none: &[Arc<str>] = &[];
    let scopes = principal.map_or(none, |p| p.scopes.as_slice());
    let roles = principal.map_or(none, |p| p.roles.as_slice());
    let has = |held: &[Arc<str>], wanted: &String| held.iter().any(|h| **h == **wanted);
    let scope_missing = |missing: &str| Denial {
        challenge: Some(Challenge {
            error: Some("insufficient_scope"),
            scope: rules.challenge.clone(),
            ..Challenge::default()
        }),
        ..Denial::new(Reason::ScopeMissing).because(format!("scope {missing} is missing"))
    };
    if let Some(missing) = rules.scopes.iter().find(|wanted| !has(scopes, wanted)) {
        return Err(scope_missing(missing));
    }
    if !rules.any_scope.is_empty() && !rules.any_scope.iter().any(|wanted| has(scopes, wanted)) {
        return Err(scope_missing(&rules.any_scope.join(" or ")));
    }
    if let Some(missing) = rules.roles.iter().find(|wanted| !has(roles, wanted)) {
        return Err(Denial::new(Reason::RoleMissing).because(format!("role {missing} is missing")));
    }
    if !rules.any_role.is_empty() && !rules.any_role.iter().any(|wanted| has(roles, wanted)) {
        return Err(
            Denial::new(Reason::RoleMissing).because(format!("role {} is missing", rules.any_role.join(" or ")))
        );
    }
    let grants = |wanted: &String| snapshot.roles.grants(roles.iter().map(AsRef::as_ref), wanted);
    match rules.permissions.iter().find(|wanted| !grants(wanted)) {
        Some(missing) => Err(Denial::new(Reason::RoleMissing).because(format!("no role grants {missing}"))),
        None => Ok(()),
    }
}
