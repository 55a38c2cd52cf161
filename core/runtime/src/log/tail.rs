//! What a writer that was killed left at the end of a log.

use super::HEADER;
use super::head::{self, Head};
use super::reader::{Reader, read_at};
use std::fs::File;
use std::io;

/// Mends it; the answer: where the next record begins. An open record keeps the bytes that have come, for they are nowhere
/// else any more; one to which none came is dropped, for they are still in the FIFO. So is half a header, or half a filler.
pub(super) fn mend(file: &File) -> io::Result<u64> {
    let mut end = Reader::from_end(file.try_clone()?)?.offset();
    let length = file.metadata()?.len();
    let mut bytes = [0; HEADER];
    if length > end + HEADER as u64 && read_at(file, &mut bytes, end)? == HEADER {
        let head = Head::parse(&bytes)?;
        if head.open {
            let there = usize::try_from(length - end).unwrap_or(usize::MAX) - HEADER;
            let came = there.min(head.length);
            head::close(file, end, head.length, came)?;
            end += (HEADER + came) as u64;
        }
    }
    if length != end {
        file.set_len(end)?;
    }
    Ok(end)
}
