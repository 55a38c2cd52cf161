//! Output in frames (see `davit_api_types::stream`), for attach, exec and logs.

use bytes::{BufMut, Bytes, BytesMut};
use davit_api_types::stream::{HEAD, Stream, head};

/// One piece of output as a frame; 2 is standard error, all else standard output.
pub(crate) fn frame(stream: u8, bytes: &[u8]) -> Bytes {
    put(if stream == 2 { Stream::Stderr } else { Stream::Stdout }, bytes)
}

/// An error of ours in the middle of a stream.
pub(crate) fn failure(message: &str) -> Bytes {
    put(Stream::System, message.as_bytes())
}

fn put(stream: Stream, bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD + bytes.len());
    for piece in bytes.chunks(u32::MAX as usize) {
        out.put_slice(&head(stream, u32::try_from(piece.len()).unwrap_or(u32::MAX)));
        out.put_slice(piece);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_tells_stream_and_length() {
        assert_eq!(frame(2, b"no").as_ref(), b"\x02\0\0\0\0\0\0\x02no");
        assert_eq!(frame(1, b"").as_ref(), b"");
        assert_eq!(failure("x").as_ref(), b"\x03\0\0\0\0\0\0\x01x");
    }
}
