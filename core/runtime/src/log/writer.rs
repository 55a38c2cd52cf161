//! Writing records: one writer at a time, at offsets that it knows.

use super::head::{self, Head, Kind};
use super::lost::Lost;
use super::{HEADER, MAX_PAYLOAD, Stream, left_in_block, tail};
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends records. There is one at a time: the container's monitor.
#[derive(Debug)]
pub struct Writer {
    pub(super) file: File,
    pub(super) end: u64,
    /// Where the last record begins.
    last: u64,
    pub(super) lost: Lost,
    /// Whether the file system lets the kernel move bytes into the log (see `take`).
    pub(super) splices: bool,
}

impl Writer {
    /// Takes over a log (open for reading and writing), whose last record a kill may have left open or cut short.
    pub fn new(file: File) -> io::Result<Self> {
        // To a file that is opened for appending, splice is refused and a header cannot be changed.
        let flags = rustix::fs::fcntl_getfl(&file)?;
        rustix::fs::fcntl_setfl(&file, flags - OFlags::APPEND)?;
        let end = tail::mend(&file)?;
        Ok(Self { file, end, last: end, lost: Lost::default(), splices: true })
    }

    /// Appends `payload`, or counts it as lost. As soon as there is room again, the log says on standard error how much is
    /// missing: whoever reads it, or is attached, sees the line in its place.
    pub fn keep(&mut self, stream: Stream, payload: &[u8]) {
        let (end, last) = (self.end, self.last);
        if let Err(e) = self.tell_of_loss().and_then(|()| self.append(stream, payload)) {
            // A line without what comes after it would take the room that the last line needs.
            if self.end > end && self.file.set_len(end).is_ok() {
                (self.end, self.last) = (end, last);
            }
            self.lost.add(payload.len() as u64);
            self.lost.because(&e);
        } else {
            self.lost = Lost::default();
        }
    }

    /// The last chance to tell of a loss. Where there is still no room, the last record gives way to the line.
    pub fn finish(&mut self) {
        if self.tell_of_loss().is_err() && self.last < self.end && self.file.set_len(self.last).is_ok() {
            self.lost.add((self.end - self.last).saturating_sub(HEADER as u64));
            self.end = self.last;
            // Nothing is left to try: the loss stays untold.
            self.tell_of_loss().ok();
        }
    }

    fn tell_of_loss(&mut self) -> io::Result<()> {
        if self.lost.is_none() { Ok(()) } else { self.append(Stream::Stderr, self.lost.line().as_bytes()) }
    }

    /// Appends `payload`, in several records where it is longer than one takes. On an error (a full disk) the log ends
    /// with the last whole record.
    pub fn append(&mut self, stream: Stream, payload: &[u8]) -> io::Result<()> {
        for piece in payload.chunks(MAX_PAYLOAD) {
            self.begin(stream, piece.len())?;
            let wrote = self.file.write_all_at(piece, self.payload());
            wrote.and_then(|()| self.complete(piece.len(), piece.len())).or_else(|e| self.give_up(e))?;
        }
        Ok(())
    }

    /// Writes the header of a record of at most `length` bytes, open.
    pub(super) fn begin(&mut self, stream: Stream, length: usize) -> io::Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        self.fill((HEADER + length) as u64)?;
        let head = Head { time, kind: Kind::Output(stream), open: true, length };
        self.file.write_all_at(&head.bytes(), self.end).or_else(|e| self.give_up(e))
    }

    /// Where the payload of the record that was begun belongs.
    pub(super) fn payload(&self) -> u64 {
        self.end + HEADER as u64
    }

    /// Closes the record that was begun: of `promised` bytes, `came` are there.
    pub(super) fn complete(&mut self, promised: usize, came: usize) -> io::Result<()> {
        head::close(&self.file, self.end, promised, came)?;
        self.last = self.end;
        self.end += (HEADER + came) as u64;
        Ok(())
    }

    /// Takes what was begun away again because of `error`.
    pub(super) fn give_up<T>(&self, error: io::Error) -> io::Result<T> {
        self.file.set_len(self.end)?;
        Err(error)
    }

    /// Goes to the next block where a record of `length` bytes would not fit into this one. The gap takes no room on the disk.
    fn fill(&mut self, length: u64) -> io::Result<()> {
        let left = left_in_block(self.end);
        if length <= left {
            return Ok(());
        }
        let next = self.end + left;
        let filled = match usize::try_from(left).unwrap_or(usize::MAX).checked_sub(HEADER) {
            Some(length) => {
                let head = Head { time: 0, kind: Kind::Filler, open: false, length };
                self.file.write_all_at(&head.bytes(), self.end)
            }
            None => Ok(()),
        };
        filled.and_then(|()| self.file.set_len(next)).or_else(|e| self.give_up(e))?;
        self.end = next;
        Ok(())
    }
}
