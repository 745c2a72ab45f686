//! Requests, with the answers that they must get.

use std::thread;

use anyhow::{Context as _, anyhow};

use super::case::{Policy, Tokens};
use super::policies::{is_reader, resource, user};
use super::routes::{self, ROUTES};
use crate::fixture::check::CheckFrame;
use crate::fixture::rbac;
use crate::fixture::token::Issuer;
use crate::plan::{Frame, Verdict};

/// The requests for a policy; one in eight must be refused, unless everything is allowed.
pub(super) fn frames(policy: Policy, issuer: &Issuer, new_tokens: usize) -> anyhow::Result<Vec<Frame>> {
    if policy == Policy::Jwt(Tokens::Many) {
        return with_new_tokens(issuer, new_tokens);
    }
    let token = issuer.token(&user(0), 0, SCOPE)?;
    let count = match policy {
        Policy::Users(_) | Policy::Abac(_) => MANY_CALLERS,
        Policy::Routes(_) => ROUTES,
        Policy::Empty | Policy::Rbac | Policy::Jwt(_) => CALLERS,
    };
    Ok((0..count).map(|caller| frame(policy, caller, token.clone())).collect())
}

fn frame(policy: Policy, caller: usize, token: String) -> Frame {
    let is_refused = caller % 8 == 7;
    let (user, path, is_refused) = match policy {
        Policy::Empty => (user(caller), default_path(caller), false),
        Policy::Rbac => {
            let number = caller % rbac::USERS;
            let path = if is_refused { rbac::foreign_path(number) } else { rbac::own_path(number, caller) };
            (rbac::user(number), format!("{path}/{caller:08}"), is_refused)
        }
        Policy::Abac(subjects) => {
            let number = spread(caller, subjects);
            (user(number), format!("/api/v1/{}/{caller:08}", resource(number, !is_refused)), is_refused)
        }
        Policy::Routes(shape) => {
            let route = if is_refused { ROUTES + caller } else { caller };
            (user(caller), routes::path(shape, route), is_refused)
        }
        // The token is the first user's.
        Policy::Jwt(_) => (user(usize::from(is_refused)), default_path(caller), is_refused),
        Policy::Users(count) => {
            let number = spread(caller, count);
            (user(number), default_path(caller), !is_reader(number))
        }
    };
    let expect = if is_refused { Verdict::Deny } else { Verdict::Allow };
    CheckFrame { token, user, path, caller }.exact(expect)
}

/// Signing takes most of a millisecond, so all processors help.
fn with_new_tokens(issuer: &Issuer, count: usize) -> anyhow::Result<Vec<Frame>> {
    let numbers: Vec<usize> = (0..count).collect();
    let helpers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let parts = numbers.chunks(count.div_ceil(helpers).max(1));
    thread::scope(|scope| {
        let running: Vec<_> = parts.map(|part| scope.spawn(|| tokens(issuer, part))).collect();
        let mut frames = Vec::with_capacity(count);
        for helper in running {
            let part = helper.join().map_err(|_panic| anyhow!("signing failed"))?;
            frames.extend(part.context("cannot sign tokens")?);
        }
        Ok(frames)
    })
}

fn tokens(issuer: &Issuer, numbers: &[usize]) -> anyhow::Result<Vec<Frame>> {
    let frame = |number: &usize| {
        let is_refused = number % 8 == 7;
        let token = issuer.token(&user(*number), *number, if is_refused { "api:list" } else { SCOPE })?;
        let expect = if is_refused { Verdict::Deny } else { Verdict::Allow };
        Ok(CheckFrame { token, user: user(*number), path: default_path(*number), caller: *number }.exact(expect))
    };
    numbers.iter().map(frame).collect()
}

/// Numbers from all over the range.
fn spread(caller: usize, count: usize) -> usize {
    // A prime, so that no number comes twice before all came once.
    (caller * 7919).checked_rem(count).unwrap_or_default()
}

fn default_path(caller: usize) -> String {
    format!("/api/v1/res-00/{caller:08}")
}

const CALLERS: usize = 64;
const MANY_CALLERS: usize = 1024;
const SCOPE: &str = "api:read api:list";

#[cfg(test)]
mod tests {
    use super::super::CASES;
    use super::*;

    #[test]
    fn one_request_in_eight_is_refused() {
        let issuer = Issuer::new().unwrap();
        for case in &CASES {
            let frames = frames(case.policy, &issuer, 16).unwrap();
            let refused = frames.iter().filter(|frame| frame.expect == Verdict::Deny).count();
            let share = frames.len() / refused.max(1);
            let wanted = if case.policy == Policy::Empty { frames.len() } else { 8 };
            assert!(share.abs_diff(wanted) <= 1, "{}: {refused} of {}", case.name, frames.len());
        }
    }
}
