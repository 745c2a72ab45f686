//! A credential becomes a principal.

use model::{Denial, Identity, Reason, Stage};

use crate::journey::Journey;
use crate::snapshot::Snapshot;

pub(crate) async fn authenticate(snapshot: &Snapshot, journey: &mut Journey<'_>) -> Result<(), Denial> {
    let route = journey.route.ok_or(Reason::Internal)?;
    if journey.preflight && route.preflight_passes {
        journey.trace.note(Stage::Authenticate, || "a CORS preflight passes here without a credential".to_owned());
        journey.identity = Some(Identity::Anonymous);
        return Ok(());
    }
    journey.in_time()?;
    let identity = snapshot.authenticator.authenticate(&route.methods, &journey.ctx, &mut journey.trace).await?;
    // A preflight must not reach a policy as somebody anonymous.
    if journey.preflight && matches!(identity, Identity::Anonymous) {
        return Err(
            Denial::new(Reason::CredentialMissing).because("a CORS preflight, and the route does not let them pass")
        );
    }
    journey.identity = Some(identity);
    Ok(())
}
