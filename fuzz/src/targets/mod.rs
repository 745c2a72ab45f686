//! The targets.

mod address;
mod bundle;
mod decision_mask;
mod files;
mod jwt;
mod policy;
mod policy_input;
mod request_view;

/// A function of bytes that panics when a promise is broken.
#[derive(Debug)]
pub struct Target {
    /// Its name, on the command line and of its folder of seeds.
    pub name: &'static str,
    /// Tries one input.
    pub run: fn(&[u8]),
}

/// All targets.
pub static TARGETS: [Target; 11] = [
    Target { name: "request_view", run: request_view::run },
    Target { name: "path", run: address::path },
    Target { name: "host", run: address::host },
    Target { name: "jwt", run: jwt::token },
    Target { name: "jwks", run: jwt::jwks },
    Target { name: "descriptors", run: files::descriptors },
    Target { name: "configuration", run: files::configuration },
    Target { name: "bundle", run: bundle::run },
    Target { name: "policy", run: policy::run },
    Target { name: "policy_input", run: policy_input::run },
    Target { name: "decision_mask", run: decision_mask::run },
];
