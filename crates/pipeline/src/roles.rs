//! Roles and permissions as data: who may do what, without Rego.

use std::collections::{BTreeMap, BTreeSet};

use config::{Path, Problems};
use hashbrown::HashMap;

use crate::config::RoleConfig;

/// The permissions of each role, inherited ones included.
#[derive(Debug, Default)]
pub(crate) struct RoleTable(HashMap<String, Vec<Permission>, foldhash::fast::RandomState>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Permission {
    Exact(String),
    /// `orders:*` or `*`: begins with.
    Prefix(String),
}

impl RoleTable {
    pub(crate) fn compile(roles: &BTreeMap<String, RoleConfig>, at: &Path, problems: &mut Problems) -> Self {
        let mut table = Self::default();
        for (name, role) in roles {
            let at = at.key(name);
            for (i, parent) in role.inherits.iter().enumerate() {
                if !roles.contains_key(parent) {
                    problems.error(&at.key("inherits").index(i), format!("there is no role `{parent}`"));
                }
            }
            if inherits_itself(name, roles) {
                problems.error(&at.key("inherits"), format!("`{name}` inherits itself"));
            }
            let mut permissions = BTreeSet::new();
            let mut seen = BTreeSet::new();
            collect(name, roles, &mut seen, &mut permissions);
            table.0.insert(name.clone(), permissions.into_iter().collect());
        }
        table
    }

    /// True when one of the roles has the permission.
    pub(crate) fn grants<'r>(&self, roles: impl Iterator<Item = &'r str>, wanted: &str) -> bool {
        roles.filter_map(|role| self.0.get(role)).flatten().any(|permission| match permission {
            Permission::Exact(text) => text == wanted,
            Permission::Prefix(text) => wanted.starts_with(text.as_str()),
        })
    }

    /// True when any role of the table could grant it.
    pub(crate) fn knows(&self, wanted: &str) -> bool {
        self.grants(self.0.keys().map(String::as_str), wanted)
    }
}

fn collect(
    name: &str,
    roles: &BTreeMap<String, RoleConfig>,
    seen: &mut BTreeSet<String>,
    permissions: &mut BTreeSet<Permission>,
) {
    let Some(role) = roles.get(name).filter(|_| seen.insert(name.to_owned())) else { return };
    permissions.extend(role.permissions.iter().map(|text| match text.strip_suffix('*') {
        Some(prefix) => Permission::Prefix(prefix.to_owned()),
        None => Permission::Exact(text.clone()),
    }));
    for parent in &role.inherits {
        collect(parent, roles, seen, permissions);
    }
}

fn inherits_itself(name: &str, roles: &BTreeMap<String, RoleConfig>) -> bool {
    let mut open: Vec<&str> = roles.get(name).into_iter().flat_map(|r| &r.inherits).map(String::as_str).collect();
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if next == name {
            return true;
        }
        if seen.insert(next) {
            open.extend(roles.get(next).into_iter().flat_map(|r| &r.inherits).map(String::as_str));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(permissions: &[&str], inherits: &[&str]) -> RoleConfig {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        RoleConfig { permissions: own(permissions), inherits: own(inherits) }
    }

    #[test]
    fn permissions_are_inherited_and_stars_are_prefixes() {
        let roles = BTreeMap::from([
            ("reader".to_owned(), role(&["orders:read"], &[])),
            ("clerk".to_owned(), role(&["orders:write"], &["reader"])),
            ("orders".to_owned(), role(&["orders:*"], &[])),
        ]);
        let mut problems = Problems::new();
        let table = RoleTable::compile(&roles, &Path::root().key("roles"), &mut problems);
        assert!(problems.is_empty());
        assert!(table.grants(["clerk"].into_iter(), "orders:read"));
        assert!(!table.grants(["reader"].into_iter(), "orders:write"));
        assert!(table.grants(["orders"].into_iter(), "orders:anything"));
        assert!(!table.grants(["orders"].into_iter(), "billing:read"));
        assert!(!table.grants(["nobody"].into_iter(), "orders:read"));
    }

    #[test]
    fn a_role_that_inherits_itself_is_a_problem() {
        let roles = BTreeMap::from([("a".to_owned(), role(&[], &["b"])), ("b".to_owned(), role(&[], &["a", "c"]))]);
        let mut problems = Problems::new();
        RoleTable::compile(&roles, &Path::root().key("roles"), &mut problems);
        let messages: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
        assert_eq!(
            messages,
            [
                "roles.a.inherits: `a` inherits itself",
                "roles.b.inherits[1]: there is no role `c`",
                "roles.b.inherits: `b` inherits itself"
            ]
        );
    }
}
