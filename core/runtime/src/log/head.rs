//! The bytes before each payload: `u64` nanoseconds since 1970, `u8` stream, `u8` flags (1: open), `u16` 0, `u32` length,
//! all little-endian.

use super::{HEADER, MAX_PAYLOAD, Stream};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where the flags and the length are in a header.
const FLAGS: u64 = 9;
const LENGTH: u64 = 12;
/// The flag of a record whose payload may still be on its way, and of which the length is the most that it can become.
const OPEN: u8 = 1;

/// A header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) time: u64,
    pub(super) kind: Kind,
    pub(super) open: bool,
    /// Of the payload.
    pub(super) length: usize,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, up to the end of the block.
    Filler,
    Output(Stream),
}

impl Head {
    pub(super) fn bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&self.time.to_le_bytes());
        bytes[8] = match self.kind {
            Kind::Filler => 0,
            Kind::Output(Stream::Stdout) => 1,
            Kind::Output(Stream::Stderr) => 2,
        };
        bytes[9] = if self.open { OPEN } else { 0 };
        bytes[12..].copy_from_slice(&encoded(self.length));
        bytes
    }

    /// `InvalidData`: no header looks like this.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> io::Result<Self> {
        let [t0, t1, t2, t3, t4, t5, t6, t7, stream, flags, _, _, l0, l1, l2, l3] = *bytes;
        let time = u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let kind = match stream {
            0 => Kind::Filler,
            1 => Kind::Output(Stream::Stdout),
            2 => Kind::Output(Stream::Stderr),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a log record of an unknown stream")),
        };
        if length > MAX_PAYLOAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a log record longer than any"));
        }
        Ok(Self { time, kind, open: flags & OPEN != 0, length })
    }
}

/// Closes the record at `at`, of whose `promised` bytes `came` have come. What is seen of it from then on never changes.
/// A kill leaves it open or closed, with nothing between: the length goes first, and one byte cannot be torn.
pub(super) fn close(file: &File, at: u64, promised: usize, came: usize) -> io::Result<()> {
    if came != promised {
        file.write_all_at(&encoded(came), at + LENGTH)?;
    }
    file.write_all_at(&[0], at + FLAGS)
}

fn encoded(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}
