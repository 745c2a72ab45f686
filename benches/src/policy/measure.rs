//! Rounds: every case with every program once, in another order each time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::case::Case;
use super::engine::{self, EngineSample};
use super::prepared::Prepared;
use super::programs::{Program, Programs};
use crate::fixture::token::Issuer;
use crate::load::LoadReport;
use crate::procfs;
use crate::random::Random;
use crate::rounds::generator_run::GeneratorRun;

/// What all measurements have in common.
#[derive(Debug)]
pub struct PolicyBench {
    folder: PathBuf,
    cases: Vec<Prepared>,
    programs: Programs,
    /// Folder of `bench-load`.
    own_programs: PathBuf,
    processors: Vec<u32>,
    seconds: f64,
    warm_up: f64,
}

/// The figures of one case in one round.
#[derive(Debug, Clone)]
pub struct Round {
    pub(super) case: &'static str,
    pub(super) samples: Vec<Sample>,
    pub(super) engine: EngineSample,
}

/// The figures of one program.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) program: Program,
    pub(super) report: LoadReport,
    pub(super) resident_after: u64,
}

impl PolicyBench {
    /// Makes policies, data and requests of the cases.
    ///
    /// # Errors
    /// When there are fewer than two processors, a program is missing, or a file cannot be written.
    pub fn prepare(
        folder: &Path,
        cases: &[&'static Case],
        (own_programs, gatehouse, plugin): (&Path, &Path, &Path),
        (seconds, warm_up): (f64, f64),
        new_tokens: usize,
    ) -> anyhow::Result<Self> {
        let noop = own_programs.join("bench-noop");
        let load = own_programs.join("bench-load");
        if let Some(missing) = [&noop, &load, gatehouse, plugin].iter().find(|program| !program.is_file()) {
            bail!("{} is missing: cargo xtask bench policy builds what it needs", missing.display());
        }
        procfs::two_processors()?;
        let issuer = Issuer::new()?;
        let prepared = cases.iter().map(|case| Prepared::create(folder, case, &issuer, new_tokens));
        Ok(Self {
            folder: folder.to_owned(),
            cases: prepared.collect::<anyhow::Result<_>>()?,
            programs: Programs { noop, gatehouse: gatehouse.to_owned(), plugin: plugin.to_owned() },
            own_programs: own_programs.to_owned(),
            processors: procfs::processors()?,
            seconds,
            warm_up,
        })
    }

    /// Measures every case once; `told` gets a line for each.
    ///
    /// # Errors
    /// When a program does not start, gives a wrong answer, or loses a request.
    pub fn round(&self, random: &mut Random, told: &dyn Fn(&str)) -> anyhow::Result<Vec<Round>> {
        let mut order: Vec<&Prepared> = self.cases.iter().collect();
        random.shuffle(&mut order);
        order.into_iter().map(|prepared| self.case(prepared, random, told)).collect()
    }

    fn case(&self, prepared: &Prepared, random: &mut Random, told: &dyn Fn(&str)) -> anyhow::Result<Round> {
        let case = prepared.case.name;
        let time = Duration::from_secs_f64((self.seconds / 4.0).clamp(0.1, 2.0));
        // First of all: it says in words what is wrong with a policy.
        let engine = engine::measure(prepared, time).with_context(|| format!("case {case}"))?;
        let mut programs = Program::ALL;
        random.shuffle(&mut programs);
        let mut samples = Vec::new();
        for program in programs {
            let sample = self.sample(program, prepared).with_context(|| format!("case {case}, {}", program.name()))?;
            told(&format!(
                "{case:18} {:9} {:8.1} µs/request, server {:3.0} % busy, others {:.1} %",
                program.name(),
                sample.report.server_cpu_us,
                sample.report.server_busy * 100.0,
                sample.report.foreign_cpu * 100.0,
            ));
            samples.push(sample);
        }
        Ok(Round { case, samples, engine })
    }

    fn sample(&self, program: Program, prepared: &Prepared) -> anyhow::Result<Sample> {
        let socket = self.folder.join("server.sock");
        let server = self.programs.start(program, prepared, &self.server_processors(prepared.case), &socket)?;
        let plan = if program == Program::NoOp { &prepared.plan_allowed } else { &prepared.plan };
        let generator = GeneratorRun {
            programs: &self.own_programs,
            processor: self.generator_processor(),
            seconds: self.seconds,
            warm_up: self.warm_up,
        };
        let report = generator.load(&server, plan, &[])?;
        let resident_after = procfs::resident_bytes(server.pid())?;
        Ok(Sample { program, report, resident_after })
    }

    /// Both programs start as many workers as they may use processors.
    fn server_processors(&self, case: &Case) -> String {
        let list: Vec<String> = self.processors.iter().take(case.workers).map(u32::to_string).collect();
        list.join(",")
    }

    /// The third processor, which no server uses; with two processors, a server with two workers shares it.
    fn generator_processor(&self) -> u32 {
        self.processors.iter().take(3).next_back().copied().unwrap_or_default()
    }
}
