//! The stages of a request, one file each. The order is in `check.rs`.

pub(crate) mod authenticate;
pub(crate) mod authorise;
pub(crate) mod limit;
pub(crate) mod panics;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod sanitise;
pub(crate) mod shield;
