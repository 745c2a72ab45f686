//! One route.

use std::sync::Arc;

use authn::Method;
use config::{Path, Problems};
use policy::RouteValue;
use serde_json::{Map, Value, json};

use super::limits::Which;
use super::{Builder, check_name};
use crate::config::{
    ApiConfig, AuthorizeConfig, HeaderPredicateConfig, LogConfig, MatchConfig, NotNormal, OnError,
    PlaintextCredentials, Preflight, RegoConfig, RouteConfig, SelectConfig, ShieldConfig, TenantFrom,
};
use crate::router::{Candidate, Pattern};
use crate::snapshot::{PathRules, RegoRule, Route, Rules, Shield, TenantSource};
use crate::template::Template;

/// What a route says, or else its API, and where it stands.
fn either<'a, T>(route: Option<&'a T>, api: Option<&'a T>, at: &Path, key: &str) -> (Option<&'a T>, Path) {
    match (route, api, at.parent().and_then(|routes| routes.parent())) {
        (None, Some(inherited), Some(api_at)) => (Some(inherited), api_at.key(key)),
        (own, _, _) => (own, at.key(key)),
    }
}

impl Builder<'_> {
    /// Compiles a route; `None` when its path cannot be read, so that nothing else can be said about it.
    pub(super) fn route(
        &mut self,
        api: &ApiConfig,
        route: &RouteConfig,
        index: usize,
        at: &Path,
        problems: &mut Problems,
    ) -> Option<(Route, Pattern, Candidate)> {
        let name = route.name.clone().unwrap_or_else(|| format!("{}.{index}", api.name));
        if route.name.is_some() {
            check_name(&name, &at.key("name"), problems);
        }
        let methods = self.methods(api, route, at, problems);
        let pattern = Pattern::parse(&route.matches.path)
            .map_err(|message| problems.error(&at.key("match").key("path"), message))
            .ok()?;
        let candidate = candidate(self.routes.len(), &route.matches, &at.key("match"), problems);
        let captures = pattern.captures();
        let attributes = attributes(api, route);
        let (respond, respond_at) = either(route.respond.as_ref(), api.respond.as_ref(), at, "respond");
        let respond = self.respond(respond, &captures, &respond_at, problems);
        let (limit, limit_at) = either(route.limit.as_ref(), api.limit.as_ref(), at, "limit");
        let limits = self.limits(limit, &name, &captures, &limit_at, Which::AfterIdentity, problems);
        let shield = self.shield(api, route, &name, &captures, at, problems);
        let (authorize, authorize_at) = either(route.authorize.as_ref(), api.authorize.as_ref(), at, "authorize");
        let path = route.path.clone().or_else(|| api.path.clone()).unwrap_or_default();
        let compiled = Route {
            api: api.name.as_str().into(),
            name: name.as_str().into(),
            tenant: tenant(api.tenant.as_ref(), &captures, at, problems),
            path: PathRules { overwrite: path.when_not_normal == NotNormal::Overwrite, allow: path.allow },
            preflight_passes: route.preflight.or(api.preflight).unwrap_or_default() == Preflight::Pass,
            plaintext_accepted: route.plaintext_credentials.or(api.plaintext_credentials).unwrap_or_default()
                == PlaintextCredentials::Accept,
            log_all: route.log.or(api.log).unwrap_or_default() == LogConfig::All,
            error_passes: route.on_error.or(api.on_error).unwrap_or_default() == OnError::Allow,
            shield,
            methods,
            rules: self.rules(authorize, &captures, &authorize_at, problems),
            limits,
            respond,
            value: RouteValue::new(&route_value(api, &name, &route.matches.path, &attributes)),
            attributes,
        };
        Some((compiled, pattern, candidate))
    }

    fn methods(&self, api: &ApiConfig, route: &RouteConfig, at: &Path, problems: &mut Problems) -> Vec<Method> {
        let (methods, at) = either(route.authenticate.as_ref(), api.authenticate.as_ref(), at, "authenticate");
        let Some(methods) = methods.filter(|m| !m.is_empty()) else {
            problems.error(
                &at,
                "missing: name the credentials that are accepted, such as [{ jwt: <issuer> }], or [anonymous]",
            );
            return Vec::new();
        };
        let compiled = methods
            .iter()
            .enumerate()
            .map(|(i, method)| self.parts.authenticator.method(method, &at.index(i), problems));
        compiled.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn rules(
        &self,
        config: Option<&AuthorizeConfig>,
        captures: &[String],
        at: &Path,
        problems: &mut Problems,
    ) -> Rules {
        let config = config.cloned().unwrap_or_default();
        for (i, permission) in config.permissions.iter().enumerate() {
            if !self.roles.knows(permission) {
                problems.error(
                    &at.key("permissions").index(i),
                    format!("no role grants `{permission}`: add it to `roles`"),
                );
            }
        }
        for (key, scopes) in [("scopes", &config.scopes), ("any_scope", &config.any_scope)] {
            for (i, scope) in scopes.iter().enumerate() {
                let fine = !scope.is_empty() && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
                if !fine {
                    problems.error(&at.key(key).index(i), format!("`{scope}` is no scope (RFC 6749 §3.3)"));
                }
            }
        }
        let wanted: Vec<&str> = config.scopes.iter().chain(&config.any_scope).map(String::as_str).collect();
        let challenge = (!wanted.is_empty()).then(|| Arc::from(wanted.join(" ")));
        let rego = config.rego.as_ref().and_then(|rego| self.rego(rego, captures, &at.key("rego"), problems));
        Rules {
            scopes: config.scopes,
            any_scope: config.any_scope,
            roles: config.roles,
            any_role: config.any_role,
            permissions: config.permissions,
            rego,
            challenge,
        }
    }

    fn rego(&self, config: &RegoConfig, captures: &[String], at: &Path, problems: &mut Problems) -> Option<RegoRule> {
        let policy = self.parts.policy.as_ref()?;
        let mut entry = |rule: &String, at: &Path| {
            let found = policy.entry_point(rule);
            if found.is_none() {
                problems.error(at, format!("there is no rule `{rule}` in the policy bundles"));
            }
            found.map(|entry| (entry, rule.clone()))
        };
        match config {
            RegoConfig::Rule(rule) => entry(rule, at).map(|(entry, rule)| RegoRule::One(entry, rule)),
            RegoConfig::Select(SelectConfig { select, rules }) => {
                let rules = rules
                    .iter()
                    .filter_map(|(name, rule)| Some((name.clone(), entry(rule, &at.key("rules").key(name.as_str()))?)));
                let rules = rules.collect();
                let at = at.key("select");
                let template = Template::compile(select, captures, &at, problems)?;
                if template.literal().is_some() {
                    problems.error(
                        &at,
                        format!("`{select}` is the same for every request: write {{tenant}} or another part"),
                    );
                }
                Some(RegoRule::Select(template, rules))
            }
        }
    }

    fn shield(
        &mut self,
        api: &ApiConfig,
        route: &RouteConfig,
        name: &str,
        captures: &[String],
        at: &Path,
        problems: &mut Problems,
    ) -> Shield {
        let (own, own_at) = either(route.shield.as_ref(), api.shield.as_ref(), at, "shield");
        let (config, at): (&ShieldConfig, Path) = match own {
            Some(own) => (own, own_at),
            None => (self.config.shield, Path::root().key("shield")),
        };
        let limits =
            self.limits(Some(&config.limit), name, captures, &at.key("limit"), Which::BeforeIdentity, problems);
        Shield {
            max_headers: config.max_headers,
            max_header_bytes: config.max_header_bytes.bytes(),
            max_body: config.max_body.0,
            methods: config.methods.clone(),
            hosts: config.hosts.clone(),
            limits,
        }
    }
}

fn attributes(api: &ApiConfig, route: &RouteConfig) -> Value {
    let mut all: Map<String, Value> = api.attributes.clone();
    if let Some(owner) = &api.owner {
        all.entry("owner_team").or_insert_with(|| Value::String(owner.clone()));
    }
    all.extend(route.attributes.clone());
    Value::Object(all)
}

fn route_value(api: &ApiConfig, name: &str, path: &str, attributes: &Value) -> Value {
    json!({ "api": api.name, "name": name, "owner": api.owner, "path": path, "attributes": attributes })
}

fn tenant(from: Option<&TenantFrom>, captures: &[String], at: &Path, problems: &mut Problems) -> Option<TenantSource> {
    Some(match from? {
        TenantFrom::Host => TenantSource::Host,
        TenantFrom::Header(name) => TenantSource::Header(name.to_ascii_lowercase()),
        TenantFrom::Path => match captures.iter().position(|c| c == "tenant") {
            Some(place) => TenantSource::Path(place),
            None => {
                problems.error(
                    &at.key("match").key("path"),
                    "the API finds its tenant in the path, and this path has no `{tenant}`",
                );
                return None;
            }
        },
    })
}

fn candidate(route: usize, config: &MatchConfig, at: &Path, problems: &mut Problems) -> Candidate {
    for (i, method) in config.methods.iter().enumerate() {
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            problems.error(
                &at.key("methods").index(i),
                format!("`{method}` is no method: write it in capitals, such as GET"),
            );
        }
    }
    let mut predicates = Vec::new();
    for (i, header) in config.headers.iter().enumerate() {
        let at = at.key("headers").index(i);
        if header.name.is_empty() {
            problems.error(&at.key("name"), "missing: the name of the header");
        }
        let said = [
            header.exact.clone().map(HeaderPredicateConfig::Exact),
            header.prefix.clone().map(HeaderPredicateConfig::Prefix),
            header.present.filter(|p| *p).map(|_| HeaderPredicateConfig::Present),
            header.absent.filter(|a| *a).map(|_| HeaderPredicateConfig::Absent),
        ];
        let mut said = said.into_iter().flatten();
        match (said.next(), said.next()) {
            (Some(predicate), None) => predicates.push((header.name.to_ascii_lowercase(), predicate)),
            _ => problems.error(&at, "write exactly one of `exact`, `prefix`, `present: true` and `absent: true`"),
        }
    }
    Candidate { route, methods: config.methods.clone(), predicates }
}
