//! One case once.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::case::Case;
use super::generator_run::GeneratorRun;
use super::server::{Ready, Server, free_port};
use crate::fixture::Fixture;
use crate::load::LoadReport;
use crate::procfs;

/// What all measurements have in common.
#[derive(Debug)]
pub struct Bench {
    /// Keys, requests, configurations.
    pub fixture: Fixture,
    /// The program under measurement.
    pub gatehouse: PathBuf,
    /// Folder of `bench-noop` and `bench-load`.
    pub programs: PathBuf,
    /// Processors of the server and of the load generator.
    pub processors: (u32, u32),
    /// Seconds of load at full speed, and at the fixed rate.
    pub seconds: f64,
    /// Seconds of load before anything is measured.
    pub warm_up: f64,
    /// Requests per second when latency is measured.
    pub rate: u32,
}

/// The figures of one case in one round.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Name of the case.
    pub case: &'static str,
    /// At full speed.
    pub saturated: LoadReport,
    /// At the fixed rate.
    pub paced: LoadReport,
    /// Memory before the first request, in bytes.
    pub resident_idle: u64,
    /// Memory after all requests, in bytes.
    pub resident_after: u64,
}

impl Bench {
    /// Starts the server of a case, loads it at full speed and at the fixed rate, and stops it.
    ///
    /// # Errors
    /// When the server does not start, gives a wrong answer, or loses a request.
    pub fn measure(&self, case: &'static Case) -> anyhow::Result<Sample> {
        self.measure_case(case).with_context(|| format!("case {}", case.name))
    }

    fn measure_case(&self, case: &'static Case) -> anyhow::Result<Sample> {
        let server = self.start(case)?;
        let resident_idle = procfs::resident_bytes(server.pid())?;
        let plan = self.fixture.plan(case.load);
        let saturated = self.load(&server, &plan, &[])?;
        let rate = self.rate.to_string();
        // Numbers of the first run must not come again as new ones.
        let paced = self.load(&server, &plan, &["--rate", &rate, "--first-fresh", "60000000"])?;
        let resident_after = procfs::resident_bytes(server.pid())?;
        Ok(Sample { case: case.name, saturated, paced, resident_idle, resident_after })
    }

    fn start(&self, case: &Case) -> anyhow::Result<Server> {
        let socket = self.fixture.folder().join("server.sock");
        let path = text(&socket)?;
        let processor = self.processors.0.to_string();
        let Some(template) = case.configuration else {
            let program = self.programs.join("bench-noop");
            return Server::start(&program, &["--unix", path], &processor, &socket, Ready::Socket);
        };
        let port = free_port()?;
        let cache = if case.decision_cache { "true" } else { "false" };
        let values = [
            ("@SOCKET@", path),
            ("@PORT@", &port.to_string()),
            ("@DECISION_CACHE@", cache),
            ("@ROUTES@", &other_routes()),
        ];
        let file = self.fixture.configuration(case.name, template, &values)?;
        let arguments = ["serve", "-c", text(&file)?];
        Server::start(&self.gatehouse, &arguments, &processor, &socket, Ready::Http(port, "/readyz"))
    }

    fn load(&self, server: &Server, plan: &Path, more: &[&str]) -> anyhow::Result<LoadReport> {
        let generator = GeneratorRun {
            programs: &self.programs,
            processor: self.processors.1,
            seconds: self.seconds,
            warm_up: self.warm_up,
        };
        generator.load(server, plan, more)
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Routes that no request is for, in the form of the configuration: literals, captures, methods.
fn other_routes() -> String {
    let route = |i: usize| match i % 3 {
        0 => format!("      - {{ match: {{ path: \"/svc-{i}/items/{{id}}\" }}, authenticate: [anonymous] }}\n"),
        1 => format!(
            "      - {{ match: {{ path: \"/svc-{i}/**\", methods: [GET, POST] }}, authenticate: [anonymous] }}\n"
        ),
        _ => format!("      - {{ match: {{ path: \"/api/v1/svc-{i}/status\" }}, authenticate: [anonymous] }}\n"),
    };
    (0..OTHER_ROUTES).map(route).collect()
}

const OTHER_ROUTES: usize = 4_999;
