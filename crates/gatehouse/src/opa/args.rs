//! `gatehouse opa run`: the flags of `opa run` that deployments with Envoy use.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use config::Period;

const AFTER: &str = "\
Examples:
  gatehouse opa run --server --set=plugins.envoy_ext_authz_grpc.addr=:9191 policy.rego
  gatehouse opa run --server --config-file=config.yaml --diagnostic-addr=0.0.0.0:8282

What is served: the gRPC service of opa-envoy-plugin, and over HTTP /health and /metrics. OPA's REST API is not.";

#[derive(Debug, Subcommand)]
pub(crate) enum OpaCommand {
    /// Answer Envoy in place of opa-envoy-plugin
    ///
    /// Reads OPA's configuration, policies and bundles as they are, and listens where OPA would: in clear text, for whoever
    /// reaches the port.
    #[command(after_help = AFTER)]
    Run(RunArgs),
}

/// A flag of Go: `--flag`, `--flag=true` and `--flag=false`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Policies, data, and folders of them; `a.b:file.json` puts data at a path
    pub(crate) paths: Vec<PathBuf>,
    /// Stay up and answer; nothing else is served
    #[arg(short, long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(crate) server: bool,
    /// Where /health and /metrics are served
    #[arg(short, long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) addr: Vec<String>,
    /// Where else /health and /metrics are served
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) diagnostic_addr: Vec<String>,
    /// OPA's configuration file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// Set values of the configuration: key=value[,key=value…]
    #[arg(long, value_name = "VALUES")]
    pub(crate) set: Vec<String>,
    /// Set a value of the configuration from a file: key=file
    #[arg(long, value_name = "VALUES")]
    pub(crate) set_file: Vec<String>,
    /// The paths are bundles: folders or tar.gz files with a manifest
    #[arg(short, long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(crate) bundle: bool,
    /// Load the paths again when they change
    #[arg(short, long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(crate) watch: bool,
    /// Policies without `import rego.v1` are Rego v0
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(crate) v0_compatible: bool,
    /// Policies are Rego v1, which is the default
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(crate) v1_compatible: bool,
    /// How much is logged
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) log_level: Level,
    /// How it is logged
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Files that are not loaded; hidden ones never are
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
    /// Seconds that requests have to end after the order to stop
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    pub(crate) shutdown_grace_period: u64,
    /// Seconds that new connections are still accepted after the order to stop
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub(crate) shutdown_wait_period: u64,
    /// Seconds to wait for the plugin to be ready; it is, or the start fails
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub(crate) ready_timeout: Option<u64>,
    /// No version is ever looked up
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(crate) skip_version_check: Option<bool>,
    /// Nothing is ever reported
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(crate) disable_telemetry: Option<bool>,
    /// Policies are checked either way
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(crate) skip_known_schema_check: Option<bool>,
    /// Every problem is told
    #[arg(short, long, hide = true)]
    pub(crate) max_errors: Option<i64>,
    /// Who may use the REST API, which is not served
    #[arg(long, hide = true)]
    pub(crate) authentication: Option<String>,
    /// What may be done over the REST API, which is not served
    #[arg(long, hide = true)]
    pub(crate) authorization: Option<String>,
    /// HTTP/2 in clear text for the REST API, which is not served
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(crate) h2c: Option<bool>,
    /// A store for fast reading is what there is
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(crate) optimize_store_for_read_speed: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Debug,
    #[default]
    Info,
    #[value(alias = "warning")]
    Warn,
    Error,
}

impl Level {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Json,
    #[value(alias = "json-pretty")]
    Text,
}

impl RunArgs {
    /// What was asked for and cannot be had.
    pub(crate) fn problem(&self) -> Option<String> {
        if !self.server {
            return Some("opa run: only --server is served; `opa run` as a shell is not".to_owned());
        }
        let pattern = self.ignore.iter().find(|pattern| !matches!(pattern.as_str(), ".*" | "*_test.rego"))?;
        Some(format!("--ignore={pattern}: hidden files and *_test.rego are left out, other patterns are not served"))
    }

    pub(crate) const fn grace(&self) -> Period {
        Period::secs(self.shutdown_grace_period)
    }
}
