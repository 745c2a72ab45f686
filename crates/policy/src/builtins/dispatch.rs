//! Builtins that the engine has not, behind one that it has: see [`crate::load`].

use std::sync::OnceLock;

use super::{ADDED, Native};

/// The format that stands for a builtin with so many arguments; `None` when there is no such builtin among ours.
pub(crate) fn dispatched(name: &str, arguments: usize) -> Option<String> {
    let place = ADDED.iter().position(|(known, args, _)| *known == name && usize::from(*args) == arguments)?;
    Some(format!("{}{place}", key()?))
}

/// The builtin that a format stands for.
pub(super) fn dispatched_to(format: &str) -> Option<Native> {
    let place = format.strip_prefix('~')?;
    let key = key()?.get(1..)?;
    // Formats that begin so by chance are as good as any other.
    let place = place.strip_prefix(key)?.parse::<usize>().ok()?;
    ADDED.get(place).map(|(_, _, native)| *native)
}

/// Nobody outside of this process knows it; none when there is no randomness.
fn key() -> Option<&'static str> {
    static KEY: OnceLock<Option<String>> = OnceLock::new();
    let made = KEY.get_or_init(|| {
        let mut bytes = [0_u8; 16];
        crypto::random_bytes(&mut bytes).ok()?;
        Some(format!("~{}:", crypto::hex(&bytes)))
    });
    made.as_deref()
}
