//! As much of gRPC over HTTP/2 as unary calls need: one framed message in, one out, status in the trailers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Status codes of gRPC that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    InvalidArgument,
    Unimplemented,
    Unavailable,
    /// Any other than 0.
    Other(u8),
}

impl Code {
    fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Ok => "0",
            Self::InvalidArgument => "3",
            Self::Unimplemented => "12",
            Self::Unavailable => "14",
            // 0 would be a yes.
            Self::Other(code) => return HeaderValue::from(u16::from(code.max(1))),
        })
    }
}

/// Why a unary request message could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Not exactly one uncompressed message.
    Malformed,
    /// Longer than allowed; with the length that its prefix announces.
    TooLarge(usize),
    /// The caller went away.
    Gone,
}

/// What a `grpc-message` may not hold as it is; other than ASCII is encoded anyway.
const MESSAGE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%');
const PREFIX: usize = 5;
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Reads the one message of a unary request.
pub(crate) async fn read_message(mut body: Incoming, max: usize) -> Result<Bytes, Unreadable> {
    let mut first: Option<Bytes> = None;
    let mut joined: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_gone| Unreadable::Gone)?.into_data() else { continue };
        let len = first.as_ref().map_or(0, Bytes::len).max(joined.as_ref().map_or(0, BytesMut::len)) + data.len();
        if len > max.saturating_add(PREFIX) {
            let start = joined.as_deref().or(first.as_deref()).unwrap_or_default();
            return Err(Unreadable::TooLarge(announced(start, &data)));
        }
        match (&mut first, &mut joined) {
            (None, None) => first = Some(data),
            (_, Some(joined)) => joined.extend_from_slice(&data),
            (Some(start), None) => {
                let mut buffer = BytesMut::with_capacity(len);
                buffer.extend_from_slice(start);
                buffer.extend_from_slice(&data);
                joined = Some(buffer);
            }
        }
    }
    let whole = joined.map(BytesMut::freeze).or(first).unwrap_or_default();
    unframe(whole)
}

/// The length in the prefix of a message that begins with `start` and goes on with `more`.
fn announced(start: &[u8], more: &[u8]) -> usize {
    let prefix = start.iter().chain(more).take(PREFIX).skip(1);
    prefix.fold(0, |length, byte| length << 8 | usize::from(*byte))
}

fn unframe(mut whole: Bytes) -> Result<Bytes, Unreadable> {
    if whole.len() < PREFIX {
        return Err(Unreadable::Malformed);
    }
    let compressed = whole.get_u8();
    let len = whole.get_u32();
    if compressed != 0 || u32::try_from(whole.len()) != Ok(len) {
        return Err(Unreadable::Malformed);
    }
    Ok(whole)
}

/// A response that carries one message.
pub(crate) fn message(payload: &[u8]) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(PREFIX + payload.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(payload);
    respond(Body::Unary { data: Some(framed.freeze()), trailers: true })
}

/// A response that carries only a status.
pub(crate) fn status(code: Code, text: &str) -> Response<Body> {
    let mut response = respond(Body::Unary { data: None, trailers: false });
    response.headers_mut().insert(GRPC_STATUS.clone(), code.value());
    // Percent-encoded (gRPC over HTTP/2, "Responses").
    let text = percent_encoding::utf8_percent_encode(text, MESSAGE).to_string();
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(GRPC_MESSAGE.clone(), text);
    }
    response
}

fn respond(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The body of a response.
pub(crate) enum Body {
    /// One message and the trailers, or nothing.
    Unary {
        /// The framed message.
        data: Option<Bytes>,
        /// Whether trailers with status 0 follow.
        trailers: bool,
    },
    /// The body of a tonic service.
    Tonic(tonic::body::Body),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        match self.get_mut() {
            Self::Tonic(body) => Pin::new(body).poll_frame(cx),
            Self::Unary { data, trailers } => Poll::Ready(match data.take() {
                Some(data) => Some(Ok(Frame::data(data))),
                None if std::mem::take(trailers) => {
                    let mut map = HeaderMap::with_capacity(1);
                    map.insert(GRPC_STATUS.clone(), Code::Ok.value());
                    Some(Ok(Frame::trailers(map)))
                }
                None => None,
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Tonic(body) => body.is_end_stream(),
            Self::Unary { data, trailers } => data.is_none() && !trailers,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Tonic(body) => body.size_hint(),
            Self::Unary { .. } => SizeHint::default(),
        }
    }
}

/// The deadline of a call: what its `grpc-timeout` leaves after the reserve, and never more than `max`.
pub(crate) fn deadline(headers: &HeaderMap, now: Instant, max: Duration, reserve: Duration) -> Instant {
    let asked = headers.get("grpc-timeout").and_then(|value| parse_timeout(value.as_bytes())).unwrap_or(max);
    now + asked.min(max).saturating_sub(reserve)
}

/// `grpc-timeout`: one to eight digits and a unit (gRPC over HTTP/2, "Requests").
fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0_u64, |n, digit| n * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_says() {
        for (text, wanted) in [
            ("200m", Some(Duration::from_millis(200))),
            ("1S", Some(Duration::from_secs(1))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("2H", Some(Duration::from_secs(7200))),
            ("m", None),
            ("", None),
            ("123456789S", None),
            ("-1S", None),
            ("5x", None),
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn the_reserve_is_kept_and_the_maximum_holds() {
        let now = Instant::now();
        let (max, reserve) = (Duration::from_secs(5), Duration::from_millis(2));
        let mut headers = HeaderMap::new();
        assert_eq!(deadline(&headers, now, max, reserve), now + Duration::from_millis(4998));
        headers.insert("grpc-timeout", HeaderValue::from_static("200m"));
        assert_eq!(deadline(&headers, now, max, reserve), now + Duration::from_millis(198));
        headers.insert("grpc-timeout", HeaderValue::from_static("1m"));
        assert_eq!(deadline(&headers, now, max, reserve), now);
        headers.insert("grpc-timeout", HeaderValue::from_static("9H"));
        assert_eq!(deadline(&headers, now, max, reserve), now + Duration::from_millis(4998));
    }

    #[test]
    fn exactly_one_uncompressed_message_is_a_request() {
        assert_eq!(unframe(Bytes::from_static(b"\0\0\0\0\x02hi")), Ok(Bytes::from_static(b"hi")));
        assert_eq!(unframe(Bytes::from_static(b"\0\0\0\0\0")), Ok(Bytes::new()));
        for bad in [&b""[..], b"\0\0\0\0", b"\x01\0\0\0\x02hi", b"\0\0\0\0\x03hi", b"\0\0\0\0\x01hi"] {
            assert_eq!(unframe(Bytes::from_static(bad)), Err(Unreadable::Malformed), "{bad:?}");
        }
    }
}
