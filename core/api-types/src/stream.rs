//! The frames that carry standard output and error through one connection: attach, logs and exec without a terminal.
//!
//! Each frame is 8 bytes of head (stream number, three zero bytes, big-endian length) and its payload. With a
//! terminal there are no frames: the bytes are the terminal's.

/// Content type of a stream in frames (API 1.42 and above).
pub const MULTIPLEXED: &str = "application/vnd.docker.multiplexed-stream";
/// Content type of a terminal's stream.
pub const RAW: &str = "application/vnd.docker.raw-stream";
/// Bytes of a frame's head.
pub const HEAD: usize = 8;

/// Which stream a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Echo of standard input; Docker's own daemon writes it to output.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// An error of the daemon's, in words, in the middle of a stream.
    System,
}

/// The bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized stream: {0}")]
pub struct UnknownStream(u8);

/// The head of a frame for `len` bytes of `stream`.
pub fn head(stream: Stream, len: u32) -> [u8; HEAD] {
    let [a, b, c, d] = len.to_be_bytes();
    let number = match stream {
        Stream::Stdin => 0,
        Stream::Stdout => 1,
        Stream::Stderr => 2,
        Stream::System => 3,
    };
    [number, 0, 0, 0, a, b, c, d]
}

/// Stream and payload length of a head.
///
/// # Errors
/// [`UnknownStream`] where the first byte names none.
pub fn parse_head(head: [u8; HEAD]) -> Result<(Stream, u32), UnknownStream> {
    let [number, _, _, _, a, b, c, d] = head;
    let stream = match number {
        0 => Stream::Stdin,
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        3 => Stream::System,
        n => return Err(UnknownStream(n)),
    };
    Ok((stream, u32::from_be_bytes([a, b, c, d])))
}

/// Puts frames together from bytes that arrive in any pieces.
///
/// Hands payload on as it comes: a frame of a gigabyte needs no gigabyte.
#[derive(Debug, Default)]
pub struct Decoder {
    head: Vec<u8>,
    current: Option<(Stream, u32)>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `sink` with each piece of payload in `bytes`.
    ///
    /// # Errors
    /// [`UnknownStream`] where a head names no stream; nothing after it can be understood.
    pub fn feed<'a>(
        &mut self,
        mut bytes: &'a [u8],
        mut sink: impl FnMut(Stream, &'a [u8]),
    ) -> Result<(), UnknownStream> {
        while !bytes.is_empty() {
            let (stream, left) = match self.current {
                Some(current) => current,
                None => {
                    let (part, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                    self.head.extend_from_slice(part);
                    bytes = rest;
                    let Ok(head) = <[u8; HEAD]>::try_from(self.head.as_slice()) else { return Ok(()) };
                    self.head.clear();
                    parse_head(head)?
                }
            };
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, rest) = bytes.split_at(here);
            if !payload.is_empty() {
                sink(stream, payload);
            }
            bytes = rest;
            let left = left - u32::try_from(here).unwrap_or(left);
            self.current = (left > 0).then_some((stream, left));
        }
        Ok(())
    }

    /// Whether the stream may end here: no frame is half read.
    pub fn is_between_frames(&self) -> bool {
        self.head.is_empty() && self.current.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_as_it_went() {
        for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr, Stream::System] {
            assert_eq!(parse_head(head(stream, 0x0102_0304)), Ok((stream, 0x0102_0304)));
        }
        assert_eq!(head(Stream::Stderr, 258), [2, 0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut wire = Vec::new();
        for (stream, text) in [(Stream::Stdout, "hello\n"), (Stream::Stderr, ""), (Stream::Stderr, "oops\n")] {
            wire.extend(head(stream, u32::try_from(text.len()).unwrap()));
            wire.extend(text.as_bytes());
        }
        for cut in 1..=wire.len() {
            let (mut out, mut err, mut decoder) = (Vec::new(), Vec::new(), Decoder::new());
            for piece in wire.chunks(cut) {
                decoder
                    .feed(piece, |stream, bytes| match stream {
                        Stream::Stderr => err.extend(bytes),
                        _ => out.extend(bytes),
                    })
                    .unwrap();
            }
            assert_eq!((out.as_slice(), err.as_slice()), (&b"hello\n"[..], &b"oops\n"[..]), "pieces of {cut}");
            assert!(decoder.is_between_frames());
        }
    }

    #[test]
    fn bytes_that_are_no_frame_are_refused() {
        assert_eq!(Decoder::new().feed(b"HTTP/1.1 200 OK", |_, _| ()), Err(UnknownStream(b'H')));
    }
}
