//! As much of HTTP/2 as unary gRPC calls need on the client's side (RFC 9113, RFC 7541).
//!
//! Response headers are never decoded. A call that fails has no message (gRPC answers it with trailers only), so the
//! message alone tells.

/// Type of a frame (RFC 9113 §6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

/// `END_STREAM` of DATA and HEADERS; `ACK` of SETTINGS and PING.
pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// Bytes of a frame header.
pub(super) const FRAME_HEADER: usize = 9;
/// Bytes before a gRPC message: compressed or not, length.
pub(super) const GRPC_PREFIX: usize = 5;
/// Flow-control window before anybody says otherwise (RFC 9113 §6.9.2).
pub(super) const FIRST_WINDOW: i64 = 65_535;
/// How much the server may send us on a connection before it hears from us again.
pub(super) const OUR_WINDOW: u32 = 1 << 30;

/// A frame in the input buffer.
#[derive(Debug)]
pub(super) struct FrameView<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> FrameView<'a> {
    /// The first frame of `input` and what follows it; `None` when it has not arrived whole.
    pub(super) fn split(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (header, rest) = input.split_first_chunk::<FRAME_HEADER>()?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *header;
        let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).ok()?;
        let stream = u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff;
        let (payload, rest) = rest.split_at_checked(length)?;
        Some((Self { kind, flags, stream, payload }, rest))
    }

    /// The payload of a DATA frame without padding.
    pub(super) fn data(&self) -> &'a [u8] {
        if self.flags & PADDED == 0 {
            return self.payload;
        }
        let Some((padding, rest)) = self.payload.split_first() else { return &[] };
        rest.get(..rest.len().saturating_sub(usize::from(*padding))).unwrap_or_default()
    }

    /// The settings in a SETTINGS frame.
    pub(super) fn settings(&self) -> impl Iterator<Item = (u16, u32)> {
        let (chunks, _) = self.payload.as_chunks::<6>();
        chunks
            .iter()
            .map(|[i0, i1, v0, v1, v2, v3]| (u16::from_be_bytes([*i0, *i1]), u32::from_be_bytes([*v0, *v1, *v2, *v3])))
    }

    /// The first number of the payload: an increment or an error code.
    pub(super) fn number(&self) -> u32 {
        self.payload.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff)
    }
}

/// Writes a frame header.
pub(super) fn frame_header(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, l0, l1, l2] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind, flags, s0, s1, s2, s3]);
}

/// The first bytes of a connection: preface, settings, a large window for answers.
pub(super) fn preface() -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // ENABLE_PUSH off, INITIAL_WINDOW_SIZE 1 MiB.
    let settings = [0, 2, 0, 0, 0, 0, 0, 4, 0, 16, 0, 0];
    frame_header(&mut out, settings.len(), SETTINGS, 0, 0);
    out.extend_from_slice(&settings);
    window_update(&mut out, OUR_WINDOW - 65_535);
    out
}

/// Lets the server send more on the connection.
pub(super) fn window_update(out: &mut Vec<u8>, increment: u32) {
    frame_header(out, 4, WINDOW_UPDATE, 0, 0);
    out.extend_from_slice(&increment.to_be_bytes());
}

/// Headers of a call as Envoy sends them: in full on the first stream, which fills the table of the server's decoder,
/// and as six references into it from then on.
pub(super) fn request_headers(out: &mut Vec<u8>, stream: u32, path: &str) {
    let mut block = vec![POST, SCHEME_HTTP];
    if stream == 1 {
        for (name, value) in named_headers(path) {
            match name {
                Name::Static(index) => block.push(LITERAL_INDEXED | index),
                Name::Text(name) => {
                    block.push(LITERAL_INDEXED);
                    text(&mut block, name);
                }
            }
            text(&mut block, value);
        }
    } else {
        // The newest entry has the lowest number.
        block.extend((FIRST_DYNAMIC..FIRST_DYNAMIC + NAMED_HEADERS).rev().map(|index| INDEXED | index));
    }
    frame_header(out, block.len(), HEADERS, END_HEADERS, stream);
    out.extend_from_slice(&block);
}

enum Name {
    /// A name of the static table (RFC 7541 appendix A).
    Static(u8),
    Text(&'static str),
}

const fn named_headers(path: &str) -> [(Name, &str); 6] {
    [
        (Name::Static(4), path),
        (Name::Static(1), "gatehouse"),
        (Name::Static(31), "application/grpc"),
        (Name::Text("te"), "trailers"),
        (Name::Text("grpc-timeout"), "2000m"),
        (Name::Text("x-envoy-internal"), "true"),
    ]
}

fn text(block: &mut Vec<u8>, text: &str) {
    // Lengths of 127 and more take several bytes; nothing here is that long.
    block.push(u8::try_from(text.len().min(126)).unwrap_or(126));
    block.extend(text.bytes().take(126));
}

const NAMED_HEADERS: u8 = 6;
const POST: u8 = 0x83;
const SCHEME_HTTP: u8 = 0x86;
const INDEXED: u8 = 0x80;
const LITERAL_INDEXED: u8 = 0x40;
/// Number of the newest entry of the dynamic table (RFC 7541 §2.3.3).
const FIRST_DYNAMIC: u8 = 62;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_when_it_is_whole() {
        let mut bytes = Vec::new();
        frame_header(&mut bytes, 3, DATA, END_STREAM, 7);
        bytes.extend_from_slice(b"abcrest");
        let (frame, rest) = FrameView::split(&bytes).unwrap();
        assert_eq!((frame.kind, frame.flags, frame.stream, frame.data()), (DATA, END_STREAM, 7, &b"abc"[..]));
        assert_eq!(rest, b"rest");
        assert!(FrameView::split(&bytes[..11]).is_none());
    }

    #[test]
    fn padding_is_no_data() {
        let frame = FrameView { kind: DATA, flags: PADDED, stream: 1, payload: b"\x02hi\0\0" };
        assert_eq!(frame.data(), b"hi");
    }

    #[test]
    fn later_calls_refer_to_the_headers_of_the_first() {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        request_headers(&mut first, 1, "/a/B");
        request_headers(&mut later, 3, "/a/B");
        assert_eq!(later.len(), FRAME_HEADER + 8);
        // Path was added first, so it has the highest number.
        assert_eq!(later[FRAME_HEADER..], [0x83, 0x86, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe]);
        assert!(first.windows(4).any(|w| w == b"/a/B"));
    }
}
