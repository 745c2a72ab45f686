//! `gatehouse opa`: in the place of opa-envoy-plugin.

mod activation;
mod args;
mod decider;
mod discovery;
mod fleet;
mod logs;
mod probes;
mod reports;
mod statuses;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use gateway::config::{Address, ListenerPlan, Service, SocketRules};
use gateway::{GatewayParts, ServerPlan};
use policy::bundle::downloaders;
use policy::decision_log::event::{Asked, Origin};
use policy::decision_log::{Settings, log_rules};
use policy::http_send::HttpSender;
use policy::opa::PluginOptions;
use policy::opa::config::{OpaConfig, Overlay, PluginAddress, PluginConfig};
use telemetry::{LogOutputConfig, PluginMetrics, TelemetryConfig};
use tokio_util::sync::CancellationToken;

pub(crate) use args::OpaCommand;

use crate::failure::Failure;
use crate::serve::{control_runtime, signals};
use activation::{Activation, Bundles, Paths};
use args::{LogFormat, RunArgs};
use decider::OpaDecider;
use discovery::Discovered;
use fleet::Fleet;
use logs::Logs;
use probes::OpaProbes;
use reports::Reports;
use statuses::Statuses;

pub(crate) fn run(command: &OpaCommand) -> Result<(), Failure> {
    let OpaCommand::Run(args) = command;
    if let Some(problem) = args.problem() {
        return Err(Failure::Usage(problem));
    }
    let runtime = control_runtime()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &RunArgs) -> Result<(), Failure> {
    crypto::install_default_provider();
    let overlays: Vec<Overlay> = args
        .set
        .iter()
        .map(|text| Overlay::Set(text.clone()))
        .chain(args.set_file.iter().map(|text| Overlay::SetFile(text.clone())))
        .collect();
    let (boot, document) = OpaConfig::load(args.config_file.as_deref(), &overlays).map_err(wrong)?;
    let client = net::Client::new(net::ClientConfig::default()).context("cannot set up the HTTP client")?;
    let _flushed_on_drop = telemetry::init(&log(args), client).context("cannot set up the log")?;
    let stop = CancellationToken::new();
    signals::stop_on_termination(stop.clone())?;
    let one = |problem: String| wrong(vec![problem]);
    let mut discovered = Discovered::start(&boot, document, &stop).map_err(one)?;
    let config = match &mut discovered {
        None => boot,
        Some(discovered) => {
            tracing::info!("waiting for the configuration in the discovery bundle");
            let Some(Some(config)) = stop.run_until_cancelled(discovered.next()).await else { return Ok(()) };
            config
        }
    };
    let Some(plugin) = config.plugins.envoy_ext_authz_grpc.clone() else {
        let hint = "add --set=plugins.envoy_ext_authz_grpc.addr=:9191";
        return Err(Failure::Usage(format!("opa run: the configuration has no plugin envoy_ext_authz_grpc: {hint}")));
    };
    let labels = labels(&config);
    let downloaders = downloaders(&config, args.v0_compatible).map_err(wrong)?;
    let wanted: BTreeSet<String> = downloaders.iter().map(|(name, _)| name.clone()).collect();
    let statuses = Arc::new(Statuses::new(&wanted));
    let active = Arc::new(ArcSwapOption::empty());
    let mut activation = Activation {
        active: Arc::clone(&active),
        paths: Paths { paths: args.paths.clone(), are_bundles: args.bundle, is_v0: args.v0_compatible },
        watch: args.watch,
        options: PluginOptions { log: log_rules(&config), ..options(&plugin).map_err(one)? },
        wanted,
        loaded: Bundles::new(),
        statuses: Arc::clone(&statuses),
    };
    // Without bundles to wait for, policies that do not compile end the start.
    if !activation.activate(Bundles::new()).await.map_err(wrong)? {
        tracing::info!("nothing is decided before all bundles are active");
    }
    if let Some(reports) = Reports::new(&config, &labels, Arc::clone(&statuses)).map_err(one)? {
        tokio::spawn(reports.run(stop.clone()));
    }
    let fleet = Fleet::start(downloaders, &stop);
    tokio::spawn(activation.run(fleet, discovered, args.v0_compatible, stop.clone()));
    let logs = match Settings::read(&config).map_err(wrong)? {
        None => None,
        Some(settings) => {
            let origin = Origin { labels: Arc::new(labels), asked: Asked::of(&plugin) };
            Some(Logs::start(settings, origin, stop.clone())?)
        }
    };
    let metrics = plugin.enable_performance_metrics.then(|| PluginMetrics::new(&plugin.buckets));
    let parts = GatewayParts {
        plan: plan(args, &plugin)?,
        decide: Arc::new(OpaDecider::new(&plugin, active, metrics.clone(), logs.clone())),
        probes: Arc::new(OpaProbes { metrics, statuses, logs: logs.clone() }),
        bound: None,
    };
    tracing::warn!(
        addr = %plugin.addr,
        path = plugin.decision(),
        dry_run = plugin.dry_run,
        strict = plugin.strict,
        "in the place of opa-envoy-plugin: whoever reaches the port is answered, in clear text"
    );
    let served = gateway::serve(parts, stop.clone()).await;
    stop.cancel();
    if let Some(logs) = logs {
        logs.finish(args.grace().0).await;
    }
    served.context("cannot serve")?;
    tracing::info!("gatehouse has stopped");
    Ok(())
}

/// What names this process in reports and logs: the labels of the configuration, an id and the version.
fn labels(config: &OpaConfig) -> BTreeMap<String, String> {
    let mut labels = config.labels.clone();
    labels.insert("id".to_owned(), uuid::Uuid::new_v4().to_string());
    labels.insert("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    labels
}

fn wrong(problems: Vec<String>) -> Failure {
    Failure::Usage(format!("opa run: {} problem(s)\n  {}", problems.len(), problems.join("\n  ")))
}

fn log(args: &RunArgs) -> TelemetryConfig {
    let format = match args.log_format {
        LogFormat::Json => telemetry::LogFormat::Json,
        LogFormat::Text => telemetry::LogFormat::Text,
    };
    let log = LogOutputConfig { format, level: args.log_level.as_str().to_owned() };
    TelemetryConfig { log, ..TelemetryConfig::default() }
}

fn options(plugin: &PluginConfig) -> Result<PluginOptions, String> {
    Ok(PluginOptions {
        path: plugin.decision_path()?,
        dry_run: plugin.dry_run,
        skip_request_body_parse: plugin.skip_request_body_parse,
        descriptors: policy::opa::read_descriptors(Path::new(&plugin.proto_descriptor))?,
        strict: plugin.strict,
        http: HttpSender::new(&plugin.http_send),
        ..PluginOptions::default()
    })
}

/// Listens where OPA would.
fn plan(args: &RunArgs, plugin: &PluginConfig) -> Result<ServerPlan, Failure> {
    let usage = |problem: String| Failure::Usage(format!("opa run: {problem}"));
    let checks = match plugin.address().map_err(usage)? {
        PluginAddress::Tcp(address) => Address::Tcp(resolve(&address).map_err(usage)?),
        PluginAddress::Unix(path) => Address::Unix(path),
        PluginAddress::Abstract(name) => Address::Abstract(name),
    };
    let mut serves = BTreeSet::from([Service::Check]);
    if plugin.enable_reflection {
        serves.insert(Service::Reflection);
    }
    let mut listeners = vec![listener(checks, serves)];
    let default = ["localhost:8181".to_owned()];
    let addresses = if args.addr.is_empty() { &default[..] } else { &args.addr };
    for address in addresses.iter().chain(&args.diagnostic_addr) {
        let bare = address.trim_start_matches("http://");
        let address = match bare.strip_prefix("unix://") {
            Some(path) => Address::Unix(path.into()),
            None => Address::Tcp(resolve(bare).map_err(usage)?),
        };
        if listeners.iter().all(|earlier| earlier.address != address) {
            listeners.push(listener(address, BTreeSet::from([Service::Health, Service::Metrics])));
        }
    }
    Ok(ServerPlan {
        listeners,
        workers: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        drain: args.grace().0,
        drain_notice: Duration::from_secs(args.shutdown_wait_period),
        max_connection_age: Duration::from_secs(30 * 60),
        deadline_reserve: Duration::from_millis(2),
        max_deadline: Duration::from_secs(10),
        max_in_flight: 16_384,
        max_connections: 16_384,
        max_request: usize::try_from(plugin.grpc_max_recv_msg_size).unwrap_or(4 << 20),
        certificate_poll: Duration::from_secs(60),
    })
}

fn listener(address: Address, serves: BTreeSet<Service>) -> ListenerPlan {
    // What Go's listener gives a socket under the usual umask.
    let socket = SocketRules { mode: 0o755, peer_uids: Vec::new() };
    ListenerPlan { address, serves, socket, tls: None, trusts: BTreeSet::new() }
}

/// `host:port`; without a host, every address of the machine.
fn resolve(address: &str) -> Result<SocketAddr, String> {
    let wrong = |error: std::io::Error| format!("{address:?} is no address to listen on: {error}");
    if let Some(port) = address.strip_prefix(':') {
        let port: u16 = port.parse().map_err(|_no_port| format!("{address:?}: the port must be a number"))?;
        let has_ipv6 = std::net::UdpSocket::bind("[::]:0").is_ok();
        let any: std::net::IpAddr =
            if has_ipv6 { std::net::Ipv6Addr::UNSPECIFIED.into() } else { std::net::Ipv4Addr::UNSPECIFIED.into() };
        return Ok(SocketAddr::new(any, port));
    }
    let found = address.to_socket_addrs().map_err(wrong)?;
    // IPv4 first: that is what `localhost` means to most callers.
    let all: Vec<SocketAddr> = found.collect();
    let best = all.iter().find(|a| a.is_ipv4()).or_else(|| all.first()).copied();
    best.ok_or_else(|| format!("{address:?} has no address"))
}
