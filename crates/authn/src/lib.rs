//! Credentials in, principals out: JWT bearer tokens with JWKS, verified-token cache, failure budget.
