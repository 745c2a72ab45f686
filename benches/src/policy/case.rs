//! What is measured.

/// One line of the table.
#[derive(Debug)]
pub struct Case {
    /// Stable name, as in the JSON.
    pub name: &'static str,
    /// What it is, in words.
    pub title: &'static str,
    /// The policy with its data and requests.
    pub(super) policy: Policy,
    /// Processors of the server.
    pub(super) workers: usize,
}

/// A policy with its data and requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Everything is allowed.
    Empty,
    /// Roles in data.
    Rbac,
    /// Attributes of so many subjects in data.
    Abac(usize),
    /// 200 routes.
    Routes(Shape),
    /// Tokens verified in Rego.
    Jwt(Tokens),
    /// So many users in data.
    Users(usize),
}

/// How 200 routes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A rule each, which compares the path first.
    Path,
    /// A rule each, which compares a segment of the path first.
    Segment,
    /// A rule each, with nothing but `glob.match`.
    Glob,
    /// One rule that looks the path up in data.
    Table,
}

/// How many tokens come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokens {
    /// One, again and again.
    One,
    /// More than anybody keeps.
    Many,
}

/// All cases.
pub static CASES: [Case; 14] = [
    case("empty", "`allow := true`", Policy::Empty),
    case(RBAC, "RBAC: 50 users, 10 roles, `glob.match`", Policy::Rbac),
    case("abac", "ABAC: 10,000 bindings", Policy::Abac(10_000)),
    case(GUARDED, "200 rules, path compared first", Policy::Routes(Shape::Path)),
    case("routes_segment", "200 rules, `parsed_path` segment compared first", Policy::Routes(Shape::Segment)),
    case("routes_glob", "200 rules, `glob.match` only", Policy::Routes(Shape::Glob)),
    case("routes_table", "200 routes in data, one rule", Policy::Routes(Shape::Table)),
    case("jwt_one", "RS256 verified in Rego, one token", Policy::Jwt(Tokens::One)),
    case(NEW_TOKENS, "RS256 verified in Rego, every token new", Policy::Jwt(Tokens::Many)),
    case(FEW_USERS, "50 users in data", Policy::Users(50)),
    case("users_5000", "5,000 users in data", Policy::Users(5_000)),
    case(MANY_USERS, "50,000 users in data", Policy::Users(50_000)),
    case("users_100000", "100,000 users in data", Policy::Users(100_000)),
    Case { name: TWO_WORKERS, title: "RBAC, two workers", policy: Policy::Rbac, workers: 2 },
];

const fn case(name: &'static str, title: &'static str, policy: Policy) -> Case {
    Case { name, title, policy, workers: 1 }
}

// Cases that have a goal.
pub(super) const RBAC: &str = "rbac";
pub(super) const TWO_WORKERS: &str = "rbac_two_workers";
pub(super) const GUARDED: &str = "routes_guarded";
pub(super) const NEW_TOKENS: &str = "jwt_new";
pub(super) const FEW_USERS: &str = "users_50";
pub(super) const MANY_USERS: &str = "users_50000";
