//! `input.principal`.

use model::{Identity, Principal};
use regorus::Value;

/// The principal in the engine's form, kept with the principal itself.
struct PrincipalValue(Value);

/// `null` for nobody; otherwise `kind`, `subject`, `issuer`, `provider`, `client`, `tenant`, `roles`, `scopes`,
/// `attributes`, `credential`, `assurance`. `client` and `tenant` are `null` when the credential names none.
pub(super) fn value(identity: &Identity) -> Value {
    let Some(principal) = identity.principal() else { return Value::Null };
    match principal.memo(|p| PrincipalValue(make(p))) {
        Some(made) => made.0.clone(),
        None => make(principal),
    }
}

fn make(principal: &Principal) -> Value {
    // A principal is plain data, so this cannot fail; nobody is the safe answer if it ever does.
    serde_json::to_value(principal).map_or(Value::Null, Value::from)
}
