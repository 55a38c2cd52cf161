//! The output log: what a container wrote, as binary-safe records, and at the same time the buffer that attach reads.
//!
//! A record: `u64` nanoseconds since 1970, `u8` stream, `u8` flags (0), `u16` 0, `u32` length, all little-endian, then
//! that many bytes. A record that a kill cut short is cut off by the next writer and passed over by readers.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes before each payload.
pub const HEADER: usize = 16;
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
}

impl Writer {
    /// Takes over a log (open for reading and appending) and cuts off a last record that is not whole.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut reader = Reader::new(file.try_clone()?, 0);
        while reader.skip()? {}
        let end = reader.offset();
        if end < length {
            file.set_len(end)?;
        }
        Ok(Self { file, end })
    }

    /// Appends `payload`, in several records where it is longer than one takes. On an error (a full disk) the log ends
    /// with the last whole record.
    pub fn append(&mut self, stream: Stream, payload: &[u8]) -> io::Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        for piece in payload.chunks(MAX_PAYLOAD) {
            let header = header(time, stream, piece.len());
            let length = (HEADER + piece.len()) as u64;
            let wrote = self.file.write_vectored(&[IoSlice::new(&header), IoSlice::new(piece)]).and_then(|n| {
                let rest = [&header[..], piece].concat().get(n..).unwrap_or_default().to_vec();
                if rest.is_empty() { Ok(()) } else { self.file.write_all(&rest) }
            });
            if let Err(e) = wrote {
                self.file.set_len(self.end)?;
                return Err(e);
            }
            self.end += length;
        }
        Ok(())
    }
}

fn header(time: u64, stream: Stream, length: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let stream = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
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

    /// Reads only what is written from now on.
    pub fn from_end(file: File) -> io::Result<Self> {
        let mut reader = Self::new(file, 0);
        while reader.skip()? {}
        Ok(reader)
    }

    /// Where the next record begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// The next record, or none where no whole one is there (yet). `InvalidData`: this is no log.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        let Some((time, stream, length)) = self.peek()? else { return Ok(None) };
        let mut payload = vec![0; length];
        if read_at(&self.file, &mut payload, self.at + HEADER as u64)? < length {
            return Ok(None);
        }
        self.at += (HEADER + length) as u64;
        Ok(Some(Record { time, stream, payload }))
    }

    /// Passes over one whole record; no where there is none.
    fn skip(&mut self) -> io::Result<bool> {
        let Some((_, _, length)) = self.peek()? else { return Ok(false) };
        let next = self.at + (HEADER + length) as u64;
        let whole = length == 0 || read_at(&self.file, &mut [0], next - 1)? == 1;
        if whole {
            self.at = next;
        }
        Ok(whole)
    }

    fn peek(&self) -> io::Result<Option<(u64, Stream, usize)>> {
        let mut header = [0; HEADER];
        if read_at(&self.file, &mut header, self.at)? < HEADER {
            return Ok(None);
        }
        let [t0, t1, t2, t3, t4, t5, t6, t7, stream, _, _, _, l0, l1, l2, l3] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let stream = match stream {
            1 => Stream::Stdout,
            2 => Stream::Stderr,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a log record of an unknown stream")),
        };
        if length > MAX_PAYLOAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a log record longer than any"));
        }
        Ok(Some((u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]), stream, length)))
    }
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
            let mut half = header(7, Stream::Stdout, 5).to_vec();
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

    #[test]
    fn a_file_that_is_no_log_is_refused() {
        let (_file, append) = log();
        (&append).write_all(&[9; 64]).unwrap();
        assert_eq!(Writer::new(append).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
