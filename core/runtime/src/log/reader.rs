//! Reading records, also while they are written.

use super::head::{Head, Kind};
use super::{BLOCK, HEADER, Record, left_in_block};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Reads whole records from an offset on. At the end it answers none, and may be asked again later.
#[derive(Debug)]
pub struct Reader {
    file: File,
    at: u64,
}

impl Reader {
    /// Reads from `offset`, which must be one that a reader gave, or 0.
    #[must_use]
    pub fn new(file: File, offset: u64) -> Self {
        Self { file, at: offset }
    }

    /// Reads only what is written from now on. It costs one read of at most a block.
    pub fn from_end(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        // Of a log that ends with a block the last record may be open, too.
        let begin = length.saturating_sub(1) / BLOCK * BLOCK;
        let mut tail = vec![0; usize::try_from(length - begin).unwrap_or_default()];
        let got = read_at(&file, &mut tail, begin)?;
        tail.truncate(got);
        let mut rest = &tail[..];
        while let Some((header, payload)) = rest.split_first_chunk::<HEADER>() {
            let head = Head::parse(header)?;
            match payload.get(head.length..) {
                Some(next) if !head.open => rest = next,
                _ => break,
            }
        }
        let at = begin + (tail.len() - rest.len()) as u64;
        let gap = rest.len() < HEADER && rest.len() as u64 == left_in_block(at);
        Ok(Self { file, at: if gap { length } else { at } })
    }

    /// Where the next record begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// The next record, or none where no whole one is there (yet). `InvalidData`: this is no log.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            if left_in_block(self.at) < HEADER as u64 {
                // A gap without a filler; as long as nothing follows it, it may still be cut off.
                let next = self.at + left_in_block(self.at);
                if read_at(&self.file, &mut [0], next)? == 0 {
                    return Ok(None);
                }
                self.at = next;
            }
            let mut header = [0; HEADER];
            if read_at(&self.file, &mut header, self.at)? < HEADER {
                return Ok(None);
            }
            let head = Head::parse(&header)?;
            let next = self.at + (HEADER + head.length) as u64;
            match head.kind {
                // Its length is not for certain yet.
                Kind::Output(_) if head.open => return Ok(None),
                Kind::Filler => {
                    if head.length > 0 && read_at(&self.file, &mut [0], next - 1)? == 0 {
                        return Ok(None);
                    }
                    self.at = next;
                }
                Kind::Output(stream) => {
                    let mut payload = vec![0; head.length];
                    if read_at(&self.file, &mut payload, self.at + HEADER as u64)? < head.length {
                        return Ok(None);
                    }
                    self.at = next;
                    return Ok(Some(Record { time: head.time, stream, payload }));
                }
            }
        }
    }
}

/// Reads at `at` until `buffer` is full or the file ends; the answer: how much.
pub(super) fn read_at(file: &File, buffer: &mut [u8], mut at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|r| !r.is_empty()) {
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(n) => {
                filled += n;
                at += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
