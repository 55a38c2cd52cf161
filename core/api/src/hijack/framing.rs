//! Where a request's body ends, found without holding it (RFC 9112, section 6 and 7.1).

/// How a body ends, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// After the last chunk.
    Chunked(Chunk),
}

/// The place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// In the digits of a size, with the value so far.
    Size(u64),
    /// Behind the digits, before the line's end.
    SizeRest(u64),
    /// In a chunk's bytes, or the line end behind them.
    Data(u64),
    /// In a trailer line; true at its beginning.
    Trailer(bool),
    /// Behind it all.
    Done,
}

/// The bytes are no chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadChunk;

impl Framing {
    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunk::Size(0))
    }

    /// Nothing of the body is left to come.
    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }

    /// Follows `bytes`; says how many of them belong to the body.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        match self {
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                Ok(here)
            }
            Self::Chunked(chunk) => follow_chunks(chunk, bytes),
        }
    }
}

fn follow_chunks(chunk: &mut Chunk, bytes: &[u8]) -> Result<usize, BadChunk> {
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        *chunk = match *chunk {
            Chunk::Done => break,
            Chunk::Size(size) => match (byte, char::from(byte).to_digit(16)) {
                (_, Some(digit)) => {
                    let size = size.checked_mul(16).and_then(|s| s.checked_add(u64::from(digit))).ok_or(BadChunk)?;
                    Chunk::Size(size)
                }
                (b'\n', None) => after_size(size)?,
                (b'\r' | b';' | b' ' | b'\t', None) => Chunk::SizeRest(size),
                _ => return Err(BadChunk),
            },
            Chunk::SizeRest(size) if byte == b'\n' => after_size(size)?,
            Chunk::SizeRest(size) => Chunk::SizeRest(size),
            Chunk::Data(left) => {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += here;
                let left = left - here as u64;
                *chunk = if left == 0 { Chunk::Size(0) } else { Chunk::Data(left) };
                continue;
            }
            Chunk::Trailer(true) if byte == b'\n' => Chunk::Done,
            Chunk::Trailer(true) if byte == b'\r' => Chunk::Trailer(true),
            Chunk::Trailer(_) => Chunk::Trailer(byte == b'\n'),
        };
        at += 1;
    }
    Ok(at)
}

/// The chunk's bytes come with the line end behind them; size 0 is the last.
fn after_size(size: u64) -> Result<Chunk, BadChunk> {
    match size {
        0 => Ok(Chunk::Trailer(true)),
        size => size.checked_add(2).map(Chunk::Data).ok_or(BadChunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_ends_where_it_ends_however_it_is_cut() {
        let body = b"4\r\nwiki\r\n00A;x=y\r\n0123456789\r\n0\r\nTrailer: a\r\n\r\n";
        let wire = [body.as_slice(), b"GET / HTTP/1.1"].concat();
        for cut in 1..=wire.len() {
            let mut framing = Framing::chunked();
            let belongs: usize = wire.chunks(cut).map(|piece| framing.follow(piece).unwrap()).sum();
            assert_eq!((belongs, framing.is_done()), (body.len(), true), "pieces of {cut}");
        }
    }

    #[test]
    fn a_length_ends_by_count() {
        let mut framing = Framing::Length(3);
        assert_eq!(framing.follow(b"ab"), Ok(2));
        assert_eq!(framing.follow(b"cde"), Ok(1));
        assert!(framing.is_done());
    }

    #[test]
    fn rubbish_and_sizes_past_64_bits_are_refused() {
        assert_eq!(Framing::chunked().follow(b"zz\r\n"), Err(BadChunk));
        assert_eq!(Framing::chunked().follow(b"ffffffffffffffffff\r\n"), Err(BadChunk));
        assert_eq!(Framing::chunked().follow(b"ffffffffffffffff\r\n"), Err(BadChunk));
    }
}
