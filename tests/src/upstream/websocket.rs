//! The least of a WebSocket server (RFC 6455 §4.2): accepts, then returns every byte.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{copy, split};

/// Accepts an upgrade; `None` when the request is none.
pub(super) fn accept(request: &mut Request<Incoming>) -> Option<Response<()>> {
    let wanted = request.headers().get(UPGRADE)?;
    if !wanted.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return None;
    }
    let mut key = request.headers().get(SEC_WEBSOCKET_KEY)?.as_bytes().to_vec();
    key.extend_from_slice(MAGIC);
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &key));
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(stream) = upgraded.await {
            let (mut from, mut to) = split(TokioIo::new(stream));
            // Ends with the connection.
            let _copied = copy(&mut from, &mut to).await;
        }
    });
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept).ok()?);
    Some(response)
}

/// RFC 6455 §1.3.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
