//! A case as files, ready for every program.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::case::Case;
use super::{policies, requests};
use crate::fixture::token::Issuer;
use crate::fixture::write;
use crate::plan::{Frame, LoadPlan, Method};

/// A case with its files.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) case: &'static Case,
    /// Policy and data, as the command line names them.
    pub(super) files: Vec<PathBuf>,
    pub(super) frames: Vec<Frame>,
    /// The requests with the right answers.
    pub(super) plan: PathBuf,
    /// The same for a server that allows everything.
    pub(super) plan_allowed: PathBuf,
}

impl Prepared {
    /// Writes policies, data and requests of a case into a folder of its own.
    pub(super) fn create(
        folder: &Path,
        case: &'static Case,
        issuer: &Issuer,
        new_tokens: usize,
    ) -> anyhow::Result<Self> {
        let folder = folder.join(case.name);
        let jwks = serde_json::from_str(&issuer.jwks()).context("the keys are no JSON")?;
        let mut files = Vec::new();
        for (name, text) in policies::files(case.policy, &jwks) {
            let file = folder.join(name);
            write(&file, &text)?;
            files.push(file);
        }
        let frames = requests::frames(case.policy, issuer, new_tokens)?;
        let plan = LoadPlan::rotating(Method::Check, frames.clone());
        let (right, allowed) = (folder.join("requests.json"), folder.join("requests-allowed.json"));
        plan.store(&right)?;
        plan.all_allowed().store(&allowed)?;
        Ok(Self { case, files, frames, plan: right, plan_allowed: allowed })
    }
}
