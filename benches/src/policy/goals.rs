//! Goals, beside what was measured. They are told, never enforced: a figure depends on the machine.

use serde::Serialize;

use super::case::{FEW_USERS, GUARDED, MANY_USERS, NEW_TOKENS, RBAC, TWO_WORKERS};
use super::summary::Line;

/// A goal and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// What is to be reached.
    pub goal: &'static str,
    /// What was measured; absent when a case was left out.
    pub measured: Option<f64>,
    /// Whether it is reached.
    pub met: Option<bool>,
}

impl Goal {
    fn new(goal: &'static str, measured: Option<f64>, is_met: impl Fn(f64) -> bool) -> Self {
        Self { goal, measured, met: measured.map(is_met) }
    }
}

/// All goals.
pub fn goals(lines: &[Line]) -> Vec<Goal> {
    let of = |case: &str| lines.iter().find(|line| line.case == case);
    let cost = |case: &str| of(case).map(|line| line.gatehouse.cpu_us);
    let relative = |case: &str, to: &str| Some(cost(case)? / cost(to)?);
    let against_plugin = |case: &str| of(case).map(|line| line.plugin_to_gatehouse.lowest);
    vec![
        Goal::new("RBAC costs at most 2.5 × the no-op", of(RBAC).map(|line| line.gatehouse_to_noop.lowest), |x| {
            x <= 2.5
        }),
        Goal::new("RS256 with new tokens: the plugin costs at least 5 × as much", against_plugin(NEW_TOKENS), |x| {
            x >= 5.0
        }),
        Goal::new("200 guarded rules: the plugin costs more", against_plugin(GUARDED), |x| x > 1.0),
        Goal::new("50,000 users cost at most 1.1 × as much as 50", relative(MANY_USERS, FEW_USERS), |x| x <= 1.1),
        Goal::new("two workers cost at most 1.1 × as much per request as one", relative(TWO_WORKERS, RBAC), |x| {
            x <= 1.1
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::summary::{summarize, tests::round};
    use super::*;

    #[test]
    fn goals_are_met_or_not_or_unknown() {
        let rounds = [vec![
            round("rbac", [10.0, 26.0, 200.0], 0.0),
            round("rbac_two_workers", [10.0, 28.0, 200.0], 0.0),
            round("jwt_new", [10.0, 50.0, 250.0], 0.0),
        ]];
        let met: Vec<_> = goals(&summarize(&rounds)).iter().map(|goal| goal.met).collect();
        assert_eq!(met, [Some(false), Some(true), None, None, Some(true)]);
    }
}
