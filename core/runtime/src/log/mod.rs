//! The output log: what a container wrote, as binary-safe records, and at the same time the buffer that attach reads.
//!
//! A record: a header (`head`), then that many bytes. It is written in three steps, because a monitor may be killed at
//! any instant and no byte that it took from the container may be lost: the header, marked open; the payload, moved by
//! the kernel from the container's FIFO into the file (`take`); the mark taken off. Readers do not look past an open
//! record (`reader`), and the next writer gives it the length that its payload has come to (`tail`).
//!
//! No record lies across a multiple of [`BLOCK`] bytes: what would, begins at the next one, and stream 0 fills the gap (where
//! not even a header fits, zeros do). So whoever comes later starts at the last block, however long the log is.

mod head;
mod lost;
mod reader;
mod tail;
mod take;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

/// Bytes before each payload.
pub const HEADER: usize = 16;
/// Where a record begins for certain, at every multiple of it that the log is long enough for.
pub const BLOCK: u64 = 256 * 1024;
/// The longest payload.
pub const MAX_PAYLOAD: usize = 16 * 1024;

/// Where bytes came from. A terminal has only [`Stream::Stdout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was read from the container, in nanoseconds since 1970.
    pub time: u64,
    /// Where from.
    pub stream: Stream,
    /// The bytes, as they came.
    pub payload: Vec<u8>,
}

fn left_in_block(at: u64) -> u64 {
    BLOCK - at % BLOCK
}
