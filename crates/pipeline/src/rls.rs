//! The rate limit service: the same store and engine as the limit stage, asked by descriptors.

use ratelimit::{RlsError, RlsRequest, RlsResponse};

use crate::check::Services;
use crate::snapshot::Snapshot;

/// Answers one `ShouldRateLimit`.
///
/// # Errors
/// [`RlsError`] when the request is not one that the service defines, or the store is lost.
pub fn should_rate_limit(
    snapshot: &Snapshot,
    services: &Services,
    request: &RlsRequest<'_>,
) -> Result<RlsResponse, RlsError> {
    let answer = ratelimit::should_rate_limit(&snapshot.limits, services.store.as_ref(), request, services.clock.now());
    services.metrics.rate_limit_call(answer.as_ref().is_ok_and(|a| a.over_limit), answer.is_err());
    answer
}
