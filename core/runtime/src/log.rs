//! The output log: what a container wrote, as binary-safe records, and at the same time the buffer that attach reads.
//!
//! A record: `u64` nanoseconds since 1970, `u8` stream, `u8` flags (0), `u16` 0, `u32` length, all little-endian, then
//! that many bytes. A record that a kill cut short is cut off by the next writer and passed over by readers.
//!
//! No record lies across a multiple of [`BLOCK`] bytes: what would, begins at the next one, and stream 0 fills the gap (where
//! not even a header fits, zeros do). So whoever comes later starts at the last block, however long the log is.

use crate::failure;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

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

/// Appends records. There is one at a time: the container's monitor.
#[derive(Debug)]
pub struct Writer {
    file: File,
    end: u64,
    /// Where the last record begins.
    last: u64,
    lost: Lost,
}

/// Output that could not be written, and of which the log does not tell yet.
#[derive(Debug, Default)]
struct Lost {
    pieces: u64,
    bytes: u64,
    why: String,
}

impl Lost {
    fn add(&mut self, bytes: u64) {
        self.pieces += 1;
        self.bytes += bytes;
    }

    /// The line that stands in the log where the output is missing.
    fn line(&self) -> String {
        let Self { pieces, bytes, why } = self;
        format!(
            "davit: {bytes} bytes of output ({pieces} writes) are missing here: the log could not be written: {why}\n"
        )
    }
}

impl Writer {
    /// Takes over a log (open for reading and appending) and cuts off a last record that is not whole.
    pub fn new(file: File) -> io::Result<Self> {
        let reader = Reader::from_end(file.try_clone()?)?;
        let end = reader.offset();
        if end != file.metadata()?.len() {
            file.set_len(end)?;
        }
        Ok(Self { file, end, last: end, lost: Lost::default() })
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
            self.lost.why = failure::reason(&e);
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
        if self.lost.pieces == 0 { Ok(()) } else { self.append(Stream::Stderr, self.lost.line().as_bytes()) }
    }

    /// Appends `payload`, in several records where it is longer than one takes. On an error (a full disk) the log ends
    /// with the last whole record.
    pub fn append(&mut self, stream: Stream, payload: &[u8]) -> io::Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        for piece in payload.chunks(MAX_PAYLOAD) {
            let length = (HEADER + piece.len()) as u64;
            let header = header(time, Kind::Output(stream), piece.len());
            self.fill(length)?;
            let wrote = self.file.write_vectored(&[IoSlice::new(&header), IoSlice::new(piece)]).and_then(|n| {
                let rest = [&header[..], piece].concat().get(n..).unwrap_or_default().to_vec();
                if rest.is_empty() { Ok(()) } else { self.file.write_all(&rest) }
            });
            if let Err(e) = wrote {
                self.file.set_len(self.end)?;
                return Err(e);
            }
            self.last = self.end;
            self.end += length;
        }
        Ok(())
    }

    /// Goes to the next block where a record of `length` bytes would not fit into this one. The gap takes no room on the disk.
    fn fill(&mut self, length: u64) -> io::Result<()> {
        let left = left_in_block(self.end);
        if length <= left {
            return Ok(());
        }
        let next = self.end + left;
        let filled = match usize::try_from(left).unwrap_or(usize::MAX).checked_sub(HEADER) {
            Some(rest) => self.file.write_all(&header(0, Kind::Filler, rest)),
            None => Ok(()),
        };
        if let Err(e) = filled.and_then(|()| self.file.set_len(next)) {
            self.file.set_len(self.end)?;
            return Err(e);
        }
        self.end = next;
        Ok(())
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing, up to the end of the block.
    Filler,
    Output(Stream),
}

fn left_in_block(at: u64) -> u64 {
    BLOCK - at % BLOCK
}

fn header(time: u64, kind: Kind, length: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let stream = match kind {
        Kind::Filler => 0,
        Kind::Output(Stream::Stdout) => 1,
        Kind::Output(Stream::Stderr) => 2,
    };
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    header[..8].copy_from_slice(&time.to_le_bytes());
    header[8] = stream;
    header[12..].copy_from_slice(&length.to_le_bytes());
    header
}

/// Reads whole records from an offset on. At the end it answers none, and may be asked again later.
#[derive(Debug)]
pub struct Reader {
    file: File,
    at: u64,
}

impl Reader {
    /// Reads from `offset`, which must be one that a reader or the length of the file gave.
    #[must_use]
    pub fn new(file: File, offset: u64) -> Self {
        Self { file, at: offset }
    }

    /// Reads only what is written from now on. It costs one read of at most a block.
    pub fn from_end(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let begin = length - length % BLOCK;
        let mut tail = vec![0; usize::try_from(length - begin).unwrap_or_default()];
        let got = read_at(&file, &mut tail, begin)?;
        tail.truncate(got);
        let mut whole = 0;
        while let Some((header, payload)) = tail.get(whole..).and_then(<[u8]>::split_first_chunk::<HEADER>) {
            let length = parse(header)?.2;
            if payload.len() < length {
                break;
            }
            whole += HEADER + length;
        }
        Ok(Self { file, at: begin + whole as u64 })
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
            let (time, kind, length) = parse(&header)?;
            let next = self.at + (HEADER + length) as u64;
            match kind {
                Kind::Filler => {
                    if length > 0 && read_at(&self.file, &mut [0], next - 1)? == 0 {
                        return Ok(None);
                    }
                    self.at = next;
                }
                Kind::Output(stream) => {
                    let mut payload = vec![0; length];
                    if read_at(&self.file, &mut payload, self.at + HEADER as u64)? < length {
                        return Ok(None);
                    }
                    self.at = next;
                    return Ok(Some(Record { time, stream, payload }));
                }
            }
        }
    }
}

/// A header's time, kind and payload length.
fn parse(header: &[u8; HEADER]) -> io::Result<(u64, Kind, usize)> {
    let [t0, t1, t2, t3, t4, t5, t6, t7, stream, _, _, _, l0, l1, l2, l3] = *header;
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
    Ok((u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]), kind, length))
}

fn read_at(file: &File, buffer: &mut [u8], mut at: u64) -> io::Result<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::NamedTempFile, File) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let append = File::options().read(true).append(true).open(file.path()).unwrap();
        (file, append)
    }

    #[test]
    fn what_was_written_is_read_back_byte_for_byte() {
        let (file, append) = log();
        let mut writer = Writer::new(append).unwrap();
        let long = vec![0xff; MAX_PAYLOAD + 1];
        writer.append(Stream::Stdout, b"\0\n\xfe").unwrap();
        writer.append(Stream::Stderr, &long).unwrap();
        let mut reader = Reader::new(file.reopen().unwrap(), 0);
        let lengths: Vec<_> =
            std::iter::from_fn(|| reader.next_record().unwrap()).map(|r| (r.stream, r.payload.len())).collect();
        assert_eq!(lengths, [(Stream::Stdout, 3), (Stream::Stderr, MAX_PAYLOAD), (Stream::Stderr, 1)]);
    }

    #[test]
    fn a_torn_tail_is_invisible_to_readers_and_cut_off_by_the_next_writer() {
        for torn in [1, HEADER - 1, HEADER, HEADER + 2] {
            let (file, append) = log();
            Writer::new(append.try_clone().unwrap()).unwrap().append(Stream::Stdout, b"whole").unwrap();
            let whole = file.as_file().metadata().unwrap().len();
            let mut half = header(7, Kind::Output(Stream::Stdout), 5).to_vec();
            half.extend(b"torn!");
            (&append).write_all(&half[..torn]).unwrap();

            let mut reader = Reader::new(file.reopen().unwrap(), 0);
            assert_eq!(reader.next_record().unwrap().unwrap().payload, b"whole");
            assert_eq!(reader.next_record().unwrap(), None);
            Writer::new(append).unwrap().append(Stream::Stdout, b"next").unwrap();
            assert_eq!(reader.offset(), whole);
            assert_eq!(reader.next_record().unwrap().unwrap().payload, b"next");
        }
    }

    /// Lengths that end exactly at a block, one byte before, a header before, and so on.
    #[test]
    fn no_record_lies_across_a_block_and_none_is_lost_there() {
        for left in [0, 1, HEADER - 1, HEADER, HEADER + 1, HEADER + 9, HEADER + 10, HEADER + 11] {
            let (file, append) = log();
            let mut writer = Writer::new(append.try_clone().unwrap()).unwrap();
            let mut expected = Vec::new();
            let mut room = usize::try_from(BLOCK).unwrap() - left;
            while room > 0 {
                // Never so that less than a header stays.
                let piece = match room - HEADER {
                    last if last <= MAX_PAYLOAD => last,
                    more if more <= MAX_PAYLOAD + 2 * HEADER => MAX_PAYLOAD / 2,
                    _ => MAX_PAYLOAD,
                };
                expected.push(vec![b'x'; piece]);
                writer.append(Stream::Stdout, expected.last().unwrap()).unwrap();
                room -= HEADER + piece;
            }
            assert_eq!(file.as_file().metadata().unwrap().len(), BLOCK - left as u64);
            let mut reader = Reader::new(file.reopen().unwrap(), 0);
            for payload in [b"0123456789".to_vec(), vec![0xfe; MAX_PAYLOAD]] {
                // By the same writer, and by one that comes after it was killed.
                writer.append(Stream::Stderr, &payload).unwrap();
                expected.push(payload);
                writer = Writer::new(append.try_clone().unwrap()).unwrap();
                assert_eq!(Reader::from_end(file.reopen().unwrap()).unwrap().offset(), writer.end);
            }
            let all: Vec<_> = std::iter::from_fn(|| reader.next_record().unwrap()).map(|r| r.payload).collect();
            assert!(all == expected, "{left} left: {} of {} records", all.len(), expected.len());
            assert_eq!(reader.offset(), writer.end);
        }
    }

    /// A kill between the filler and what follows it, or within: cut off or kept, nothing is lost.
    #[test]
    fn a_filler_that_was_cut_short_is_written_again() {
        for torn in [1, HEADER, HEADER + 1, HEADER + 100] {
            let (file, append) = log();
            let mut writer = Writer::new(append.try_clone().unwrap()).unwrap();
            while left_in_block(writer.end) > 1000 + HEADER as u64 {
                let piece = (usize::try_from(left_in_block(writer.end)).unwrap() - 1000 - HEADER).min(1000);
                writer.append(Stream::Stdout, &vec![1; piece]).unwrap();
            }
            let end = writer.end;
            writer.append(Stream::Stdout, &[2; 2000]).unwrap();
            append.set_len(end + torn as u64).unwrap();
            let mut writer = Writer::new(append).unwrap();
            assert_eq!(writer.end, end);
            writer.append(Stream::Stdout, &[3; 2000]).unwrap();
            let mut reader = Reader::new(file.reopen().unwrap(), end);
            assert_eq!(reader.next_record().unwrap().unwrap().payload, [3; 2000]);
        }
    }

    #[test]
    fn a_log_of_200_000_records_is_opened_again_a_hundred_times_sooner_than_it_was_written() {
        const RECORDS: u32 = 200_000;
        let (file, append) = log();
        let began = std::time::Instant::now();
        let mut writer = Writer::new(append.try_clone().unwrap()).unwrap();
        for n in 0..RECORDS {
            writer.append(Stream::Stdout, format!("line {n}\n").as_bytes()).unwrap();
        }
        let writing = began.elapsed();
        let began = std::time::Instant::now();
        for _ in 0..100 {
            assert_eq!(Writer::new(append.try_clone().unwrap()).unwrap().end, writer.end);
            assert_eq!(Reader::from_end(file.reopen().unwrap()).unwrap().offset(), writer.end);
        }
        let opening = began.elapsed();
        assert!(opening < writing, "{opening:?} for a hundred times, against {writing:?}");
        let mut reader = Reader::new(file.reopen().unwrap(), 0);
        for n in 0..RECORDS {
            assert_eq!(reader.next_record().unwrap().unwrap().payload, format!("line {n}\n").as_bytes());
        }
        assert_eq!(reader.next_record().unwrap(), None);
    }

    #[test]
    fn a_file_that_is_no_log_is_refused() {
        let (_file, append) = log();
        (&append).write_all(&[9; 64]).unwrap();
        assert_eq!(Writer::new(append).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
