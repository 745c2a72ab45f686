//! What is measured.

use crate::fixture::Load;

/// One line of the table.
#[derive(Debug)]
pub struct Case {
    /// Stable name, as in `latest.json`.
    pub name: &'static str,
    /// What it is, in words.
    pub title: &'static str,
    /// The requests.
    pub load: Load,
    /// Configuration of Gatehouse; `None` for the no-op server.
    pub configuration: Option<&'static str>,
    /// Whether the decision cache is on.
    pub decision_cache: bool,
    /// The case that it is compared with.
    pub yardstick: &'static str,
    /// The share of the no-op server's throughput to reach.
    pub goal: Option<f64>,
}

/// All cases.
pub static CASES: [Case; 8] = [
    Case {
        name: CHECK_NOOP,
        title: "check: no-op",
        load: Load::ChecksAllowed,
        configuration: None,
        decision_cache: false,
        yardstick: CHECK_NOOP,
        goal: None,
    },
    Case {
        name: "empty_route",
        title: "check: empty route",
        load: Load::ChecksAllowed,
        configuration: Some(include_str!("../../fixtures/empty_route.yaml")),
        decision_cache: false,
        yardstick: CHECK_NOOP,
        goal: None,
    },
    Case {
        name: "five_thousand_routes",
        title: "check: the same among 5,000 routes",
        load: Load::ChecksAllowed,
        configuration: Some(include_str!("../../fixtures/five_thousand_routes.yaml")),
        decision_cache: false,
        yardstick: CHECK_NOOP,
        goal: None,
    },
    Case {
        name: "jwt_scopes",
        title: "check: cached JWT + scopes",
        load: Load::Checks,
        configuration: Some(include_str!("../../fixtures/jwt_scopes.yaml")),
        decision_cache: false,
        yardstick: CHECK_NOOP,
        goal: Some(0.70),
    },
    Case {
        name: "rego_rbac_limit",
        title: "check: cached JWT + RBAC in Rego each time + limit",
        load: Load::Checks,
        configuration: Some(include_str!("../../fixtures/rego_rbac_limit.yaml")),
        decision_cache: false,
        yardstick: CHECK_NOOP,
        goal: Some(0.30),
    },
    Case {
        name: "rego_rbac_limit_decision_cache",
        title: "check: the same with decision cache, Zipf, 10 % new paths",
        load: Load::ChecksZipf,
        configuration: Some(include_str!("../../fixtures/rego_rbac_limit.yaml")),
        decision_cache: true,
        yardstick: CHECK_NOOP,
        goal: Some(0.65),
    },
    Case {
        name: RATE_LIMIT_NOOP,
        title: "rate limit: no-op",
        load: Load::RateLimitsAllowed,
        configuration: None,
        decision_cache: false,
        yardstick: RATE_LIMIT_NOOP,
        goal: None,
    },
    Case {
        name: "rls_one_descriptor",
        title: "rate limit: one descriptor",
        load: Load::RateLimits,
        configuration: Some(include_str!("../../fixtures/rls_one_descriptor.yaml")),
        decision_cache: false,
        yardstick: RATE_LIMIT_NOOP,
        goal: Some(0.70),
    },
];

const CHECK_NOOP: &str = "noop_check";
const RATE_LIMIT_NOOP: &str = "noop_rls";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_yardstick_is_a_no_op_case() {
        for case in &CASES {
            let yardstick = CASES.iter().find(|other| other.name == case.yardstick).unwrap();
            assert!(yardstick.configuration.is_none(), "{}", case.name);
        }
    }
}
