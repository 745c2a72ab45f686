//! Policies and their data, as the files that every program reads.

use serde_json::{Map, Value, json};

use super::case::{Policy, Shape};
use super::routes;
use crate::fixture::rbac;

/// The files of a policy: names and texts.
pub(super) fn files(policy: Policy, jwks: &Value) -> Vec<(&'static str, String)> {
    let (rego, data) = match policy {
        Policy::Empty => (include_str!("../../fixtures/policy/empty.rego").to_owned(), None),
        Policy::Rbac => (include_str!("../../fixtures/policy/rbac.rego").to_owned(), Some(rbac::data())),
        Policy::Abac(subjects) => (include_str!("../../fixtures/policy/abac.rego").to_owned(), Some(abac(subjects))),
        Policy::Routes(Shape::Table) => {
            (include_str!("../../fixtures/policy/routes_table.rego").to_owned(), Some(routes::table()))
        }
        Policy::Routes(shape) => (routes::rules(shape), None),
        Policy::Jwt(_) => (include_str!("../../fixtures/policy/jwt.rego").to_owned(), Some(json!({ "jwks": jwks }))),
        Policy::Users(count) => (include_str!("../../fixtures/policy/users.rego").to_owned(), Some(users(count))),
    };
    let data = data.map(|data| ("data.json", data.to_string()));
    [("policy.rego", rego)].into_iter().chain(data).collect()
}

/// The name of one among many users.
pub(super) fn user(number: usize) -> String {
    format!("user-{number:06}")
}

/// Every eighth user may read nothing.
pub(super) const fn is_reader(number: usize) -> bool {
    number % 8 != 7
}

/// A resource that a subject may read, or one that is another department's.
pub(super) fn resource(subject: usize, is_own: bool) -> String {
    let department = subject + usize::from(!is_own);
    format!("res-{:02}", department % DEPARTMENTS)
}

fn users(count: usize) -> Value {
    let users: Map<_, _> = (0..count)
        .map(|number| {
            let role = if is_reader(number) { "reader" } else { "guest" };
            (user(number), json!({ "role": role, "team": format!("team-{}", number % 20), "active": true }))
        })
        .collect();
    json!({ "users": users })
}

fn abac(subjects: usize) -> Value {
    let department = |number: usize| format!("department-{}", number % DEPARTMENTS);
    let bindings: Map<_, _> = (0..subjects)
        .map(|number| (user(number), json!({ "department": department(number), "clearance": 3 + number % 3 })))
        .collect();
    let resources: Map<_, _> = (0..DEPARTMENTS)
        .map(|number| {
            (resource(number, true), json!({ "department": department(number), "clearance": 1 + number % 3 }))
        })
        .collect();
    json!({
        "bindings": bindings,
        "resources": resources,
        "hours": { "from": 0, "to": 24 },
        "networks": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "203.0.113.0/24"],
    })
}

const DEPARTMENTS: usize = 16;
