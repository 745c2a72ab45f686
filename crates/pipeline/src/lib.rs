//! Routes, tenants and the stages of a request: the part of Gatehouse that decides.
//!
//! Start at [`check()`]: the request path, top to bottom. The pipeline sees a request through [`model::RequestView`]; it knows
//! nothing of tonic, protobuf or sockets, so benchmarks, fuzz targets and `explain` use it alone.

mod check;
mod compile;
mod config;
mod journey;
mod path;
mod record;
mod refuse;
mod rls;
mod roles;
mod router;
mod snapshot;
mod stages;
mod template;
#[cfg(test)]
mod tests;
mod trust;

pub use self::config::{
    ApiConfig, AuthorizeConfig, ClientAddressConfig, HeaderMatchConfig, LimitList, LogConfig, MatchConfig, NotNormal,
    OnError, PathAllowance, PathConfig, PipelineConfig, PlaintextCredentials, Preflight, QueryConfig, RegoConfig,
    RespondConfig, RoleConfig, RouteConfig, SelectConfig, ShieldConfig, TenantConfig, TenantFrom, TenantsConfig,
};
pub use check::{CheckCall, Checked, Services, check, refuse};
pub use compile::compile;
pub use path::{HostFault, MAX_PATH, Normal, PathFault, normalise_host, normalise_path};
pub use rls::should_rate_limit;
pub use snapshot::{Snapshot, SnapshotParts};
pub use trust::Trust;
