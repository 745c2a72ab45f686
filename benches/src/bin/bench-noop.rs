//! `bench-noop`: the yardstick. Decodes every request with tonic and prost and gives a constant answer.
//!
//! No service built on tonic can be cheaper, unless it brings a codec of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, OkHttpResponse};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::google::rpc::Status as RpcStatus;
use tokio::net::{TcpListener, UnixListener};
use tonic::codegen::tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers every check with "allow" and every rate-limit request with "OK".
#[derive(Debug, Parser)]
#[command(name = "bench-noop")]
struct Cli {
    /// Unix socket to listen on
    #[arg(long)]
    unix: PathBuf,
    /// TCP address to listen on as well
    #[arg(long, default_value = "127.0.0.1:0")]
    tcp: SocketAddr,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    runtime.block_on(serve(cli))
}

async fn serve(cli: Cli) -> anyhow::Result<()> {
    let unix = UnixListener::bind(&cli.unix).with_context(|| format!("cannot bind {}", cli.unix.display()))?;
    let tcp = TcpListener::bind(cli.tcp).await.with_context(|| format!("cannot bind {}", cli.tcp))?;
    let routes =
        || Server::builder().add_service(AuthorizationServer::new(NoOp)).add_service(RateLimitServiceServer::new(NoOp));
    let on_unix = routes().serve_with_incoming(UnixListenerStream::new(unix));
    let on_tcp = routes().serve_with_incoming(TcpListenerStream::new(tcp));
    tokio::try_join!(on_unix, on_tcp).context("the server failed")?;
    Ok(())
}

struct NoOp;

#[tonic::async_trait]
impl Authorization for NoOp {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        std::hint::black_box(request.get_ref());
        Ok(Response::new(CheckResponse {
            status: Some(RpcStatus::default()),
            dynamic_metadata: None,
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
        }))
    }
}

#[tonic::async_trait]
impl RateLimitService for NoOp {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        std::hint::black_box(request.get_ref());
        Ok(Response::new(RateLimitResponse { overall_code: 1, ..RateLimitResponse::default() }))
    }
}
