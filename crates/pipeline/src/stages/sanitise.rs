//! What only we may set is stripped; client address and scheme are settled by the trusted-hop rule.

use std::net::IpAddr;

use model::{Denial, Header, Reason, RequestContext, Scheme, Stage};
use smallvec::SmallVec;
use telemetry::SecurityEvent;

use crate::check::Services;
use crate::journey::Journey;
use crate::snapshot::{Hops, OwnedHeaders, Snapshot};

pub(crate) fn sanitise(snapshot: &Snapshot, services: &Services, journey: &mut Journey<'_>) -> Result<(), Denial> {
    strip(&snapshot.owned, journey);
    if !journey.forged.is_empty() {
        services.metrics.security_event(SecurityEvent::ForgedHeader);
        let names = journey.forged.join(", ");
        journey.trace.note(Stage::Sanitise, || format!("taken from the client's request: {names}"));
    }
    let path = client_path(&snapshot.hops, &journey.ctx);
    journey.ctx.client_address = path.client;
    journey.ctx.scheme = scheme(&journey.ctx, path.proxied);
    let route = journey.route.ok_or(Reason::Internal)?;
    let clear = journey.ctx.scheme == Scheme::Http && !route.plaintext_accepted;
    if clear && snapshot.authenticator.presents_credential(&route.methods, &journey.ctx) {
        return Err(Denial::new(Reason::PlaintextCredentials).because("a credential arrived over http"));
    }
    Ok(())
}

/// Takes owned headers out of what later stages see, in every spelling.
fn strip<'a>(owned: &OwnedHeaders, journey: &mut Journey<'a>) {
    let mut forged: SmallVec<[&'a str; 4]> = SmallVec::new();
    let path_changed = journey.path_changed;
    journey.ctx.headers.retain(|header| {
        if owned.holds(header.name) {
            if !forged.contains(&header.name) {
                forged.push(header.name);
            }
            return false;
        }
        // Settled already; later stages and policies see the one that counts.
        !(path_changed && header.name == ":path")
    });
    journey.forged = forged;
}

impl OwnedHeaders {
    /// True for an owned name in any spelling: `-` and `_` are alike for many upstreams.
    pub(crate) fn holds(&self, name: &str) -> bool {
        if is_ours(name) {
            return true;
        }
        if name.len() >= 64 || self.lengths & (1 << name.len()) == 0 {
            return false;
        }
        if !name.as_bytes().contains(&b'_') {
            return self.names.contains(name);
        }
        self.names.contains(name.replace('_', "-").as_str())
    }
}

/// `x-gatehouse-…` is reserved, whatever stands behind it.
fn is_ours(name: &str) -> bool {
    const PREFIX: &[u8] = b"x-gatehouse-";
    name.len() >= PREFIX.len() && name.bytes().zip(PREFIX).all(|(a, b)| a == *b || (a == b'_' && *b == b'-'))
}

struct ClientPath {
    client: Option<IpAddr>,
    /// The request came through a proxy that is ours.
    proxied: bool,
}

/// Walks from Envoy's peer to the left through `x-forwarded-for`, as far as hops are trusted. An entry that is no address
/// ends the walk at the last one that was.
fn client_path(hops: &Hops, ctx: &RequestContext<'_>) -> ClientPath {
    let Some(peer) = address(ctx.view.source().address) else {
        return ClientPath { client: None, proxied: false };
    };
    if hops.count == 0 && hops.proxies.is_empty() {
        return ClientPath { client: Some(peer), proxied: false };
    }
    let mut chain = forwarded_for(&ctx.headers);
    // Envoy appends its peer before it asks us; that entry is the peer itself.
    if chain.last().copied().flatten() == Some(peer) {
        chain.pop();
    }
    let trusted = |at: IpAddr, passed: usize| passed < hops.count || hops.proxies.iter().any(|net| net.contains(&at));
    let mut client = peer;
    let mut passed = 0;
    let proxied = trusted(peer, 0);
    while trusted(client, passed) {
        match chain.pop() {
            Some(Some(next)) => client = next,
            Some(None) | None => break,
        }
        passed += 1;
    }
    ClientPath { client: Some(client), proxied }
}

/// The entries of all `x-forwarded-for` headers in order; at most the last 64.
fn forwarded_for(headers: &[Header<'_>]) -> SmallVec<[Option<IpAddr>; 8]> {
    let entries =
        headers.iter().filter(|h| h.name == "x-forwarded-for").filter_map(Header::text).flat_map(|v| v.split(','));
    let mut all: SmallVec<[Option<IpAddr>; 8]> = entries.map(|entry| address(entry.trim())).collect();
    let surplus = all.len().saturating_sub(64);
    all.drain(..surplus);
    all
}

/// An address; IPv4 in IPv6 form is IPv4, so that one client has one address.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Envoy's scheme; what a trusted proxy says of the client's side counts more. Anything but `https` is clear text.
fn scheme(ctx: &RequestContext<'_>, proxied: bool) -> Scheme {
    let stated = ctx.view.http().scheme;
    let forwarded = if proxied { ctx.header("x-forwarded-proto") } else { None };
    match forwarded.unwrap_or(stated) {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    }
}

#[cfg(test)]
mod tests {
    use model::{OwnedRequest, RequestView, Timestamp};

    use super::*;

    fn path(hops: &Hops, request: &OwnedRequest) -> (Option<String>, Scheme) {
        let view = request.view();
        let journey = Journey::begin(&view, Timestamp::default(), None, false);
        let found = client_path(hops, &journey.ctx);
        assert!(!view.http().method.is_empty());
        (found.client.map(|ip| ip.to_string()), scheme(&journey.ctx, found.proxied))
    }

    fn from(peer: &str, forwarded: &[&str]) -> OwnedRequest {
        let mut request = OwnedRequest { source_address: peer.to_owned(), ..OwnedRequest::get("a.test", "/") };
        for value in forwarded {
            request = request.with_header("x-forwarded-for", value);
        }
        request
    }

    #[test]
    fn without_trust_the_peer_is_the_client() {
        let hops = Hops { count: 0, proxies: Vec::new() };
        assert_eq!(path(&hops, &from("9.9.9.9", &["1.1.1.1"])).0.as_deref(), Some("9.9.9.9"));
        assert_eq!(path(&hops, &from("::ffff:9.9.9.9", &[])).0.as_deref(), Some("9.9.9.9"));
        assert_eq!(path(&hops, &from("", &["1.1.1.1"])).0, None);
    }

    #[test]
    fn hops_are_counted_from_the_right() {
        let hops = Hops { count: 1, proxies: Vec::new() };
        assert_eq!(path(&hops, &from("9.9.9.9", &["6.6.6.6, 1.1.1.1"])).0.as_deref(), Some("1.1.1.1"));
        assert_eq!(path(&hops, &from("9.9.9.9", &["6.6.6.6, 1.1.1.1, 9.9.9.9"])).0.as_deref(), Some("1.1.1.1"));
        assert_eq!(path(&hops, &from("9.9.9.9", &["6.6.6.6", "1.1.1.1"])).0.as_deref(), Some("1.1.1.1"));
        assert_eq!(path(&hops, &from("9.9.9.9", &["1.1.1.1, nonsense"])).0.as_deref(), Some("9.9.9.9"));
        assert_eq!(path(&hops, &from("9.9.9.9", &[])).0.as_deref(), Some("9.9.9.9"));
    }

    #[test]
    fn proxies_are_believed_as_long_as_they_are_ours() {
        let hops = Hops { count: 0, proxies: vec!["10.0.0.0/8".parse().unwrap()] };
        assert_eq!(path(&hops, &from("10.0.0.1", &["1.1.1.1, 2.2.2.2, 10.0.0.2"])).0.as_deref(), Some("2.2.2.2"));
        assert_eq!(path(&hops, &from("9.9.9.9", &["1.1.1.1, 10.0.0.2"])).0.as_deref(), Some("9.9.9.9"));
    }

    #[test]
    fn only_a_trusted_hop_may_state_the_scheme() {
        let none = Hops { count: 0, proxies: Vec::new() };
        let one = Hops { count: 1, proxies: Vec::new() };
        let mut request = from("9.9.9.9", &[]).with_header("x-forwarded-proto", "https");
        request.scheme = "http".to_owned();
        assert_eq!(path(&none, &request).1, Scheme::Http);
        assert_eq!(path(&one, &request).1, Scheme::Https);
        request.scheme = String::new();
        assert_eq!(path(&none, &request).1, Scheme::Http, "unknown counts as clear text");
    }

    #[test]
    fn owned_headers_are_found_in_every_spelling() {
        let names = ["x-user", "x-original-url"];
        let owned = OwnedHeaders {
            names: names.iter().map(|n| Box::from(*n)).collect(),
            lengths: names.iter().fold(0, |bits, n| bits | 1 << n.len()),
        };
        for forged in ["x-user", "x_user", "x_original-url", "x-gatehouse-anything", "x_gatehouse_tenant"] {
            assert!(owned.holds(forged), "{forged}");
        }
        for fine in ["x-used", "x-user2", "host", "x-gatehouse"] {
            assert!(!owned.holds(fine), "{fine}");
        }
    }
}
