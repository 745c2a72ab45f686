//! What can be typed.

use std::path::PathBuf;

use crate::opa::OpaCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// The security decision plane for Envoy.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version, about, long_about = LONG, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const LONG: &str = "\
The security decision plane for Envoy.

Envoy asks Gatehouse about every request, over its own ext_authz and rate-limit APIs: who is this, may they, how much, \
and what must change. One configuration file says the answers.";

const EXAMPLES: &str = "\
Examples:
  gatehouse check   -c gatehouse.yaml        every problem of the configuration, with file and line
  gatehouse explain -c gatehouse.yaml -- -H 'authorization: Bearer eyJ…' https://api.example.com/orders/7
  gatehouse serve   -c gatehouse.yaml        answer Envoy; reloads when the files change
  gatehouse opa run --server …               the same flags, file and answers as OPA with opa-envoy-plugin

Exit codes: 0 good, 64 the configuration or the command line is wrong, 1 anything else.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer Envoy until told to stop
    ///
    /// Starts the listeners of the configuration. Changed files (and SIGHUP) are loaded, checked and swapped in as a
    /// whole; a configuration with a mistake is logged and the running one kept. SIGTERM and SIGINT finish
    /// the requests at work, then stop.
    Serve(ServeArgs),
    /// Check a configuration and report every problem at once
    ///
    /// Reads the files, compiles everything they name (policies, limits, key files, certificates) and opens no port.
    /// Exit code 64 when there is an error; warnings alone do not fail.
    Check(CheckArgs),
    /// Look at policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Stand in for OPA with opa-envoy-plugin
    #[command(subcommand)]
    Opa(OpaCommand),
    /// Say why a request would be decided as it is
    ///
    /// Runs one request through the configuration and prints the route, credential, rule and limit that decided, the
    /// answer, and the time of each stage. Limits start full; nothing is sent anywhere, except that keys are
    /// fetched from the URLs that the configuration names.
    Explain(ExplainArgs),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print the version
    Version,
    /// Print the reference page
    #[command(hide = true)]
    Reference,
    /// Print the configuration that says nothing, in full
    #[command(hide = true)]
    DefaultDocument,
    /// Compile the policies that stand on standard input, within limits, and say what is wrong with them
    #[command(hide = true)]
    VetPolicies,
    /// Print the list of metrics
    #[command(hide = true)]
    MetricsCatalogue,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check the configuration and say how each policy rule is served
    ///
    /// For every rule that a route names: which of the two machines evaluates it and why, whether its decisions are kept, and
    /// which parts of `input` it can read. The register machine is several times faster; the reason says what keeps a rule off it.
    Check(CheckArgs),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub(crate) struct ConfigArg {
    /// The configuration: a YAML file, or a folder of *.yaml and *.yml files that are read as one
    #[arg(short, long, value_name = "PATH", env = "GATEHOUSE_CONFIG")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// How the problems are printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// A request as YAML or JSON: method, scheme, host, path, headers, body, source_address, source_principal, attributes
    #[arg(long, value_name = "FILE", conflicts_with = "curl")]
    pub(crate) request: Option<PathBuf>,
    /// The address that connects to Envoy
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) source: String,
    /// How the explanation is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The request in the words of curl, after `--`: [-X METHOD] [-H 'name: value']… [-d BODY] URL; or one pasted `curl …` line
    #[arg(last = true, value_name = "CURL")]
    pub(crate) curl: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}
