//! From a container's output to its log. Out of a FIFO the kernel moves the bytes itself: they are in the FIFO or in the
//! file, at no instant in the monitor's memory alone, where a kill would lose them.

use super::{MAX_PAYLOAD, Stream, Writer};
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;
use std::io;
use std::os::fd::BorrowedFd;

impl Writer {
    /// Takes one piece out of a FIFO, without waiting; no: there is nothing (left) in it. What a full disk does not take is
    /// read all the same, and counted: a container is never held up by its log.
    pub fn take(&mut self, fifo: BorrowedFd<'_>, stream: Stream) -> bool {
        // A loss is told of first, and only `keep` does that.
        if self.splices && self.lost.is_none() {
            match self.splice(fifo, stream) {
                Ok(moved) => return moved,
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => self.splices = false,
                // The next lines find the reason again and count it.
                Err(_) => {}
            }
        }
        self.copy(fifo, stream)
    }

    /// Reads one piece and logs it; no: there is nothing (left) to read. For terminals, which cannot be spliced, and which a
    /// kill of the monitor may cost a piece.
    pub fn copy(&mut self, from: BorrowedFd<'_>, stream: Stream) -> bool {
        let mut buffer = [0; MAX_PAYLOAD];
        match rustix::io::read(from, &mut buffer) {
            Ok(0) => false,
            Ok(n) => {
                self.keep(stream, buffer.get(..n).unwrap_or_default());
                true
            }
            Err(e) => e == Errno::INTR,
        }
    }

    /// Nothing has been taken out of the FIFO where it fails.
    fn splice(&mut self, fifo: BorrowedFd<'_>, stream: Stream) -> io::Result<bool> {
        let waiting = usize::try_from(rustix::io::ioctl_fionread(fifo)?).unwrap_or(usize::MAX).min(MAX_PAYLOAD);
        if waiting == 0 {
            return Ok(false);
        }
        self.begin(stream, waiting)?;
        let mut at = self.payload();
        let moved = rustix::pipe::splice(fifo, None, &self.file, Some(&mut at), waiting, SpliceFlags::NONBLOCK);
        match moved {
            // The container may read its own output back, and be faster.
            Ok(0) | Err(Errno::AGAIN) => self.file.set_len(self.end).map(|()| false),
            Ok(moved) => {
                if let Err(e) = self.complete(waiting, moved).or_else(|e| self.give_up(e)) {
                    self.lost.add(moved as u64);
                    self.lost.because(&e);
                }
                Ok(true)
            }
            Err(e) => self.give_up(e.into()),
        }
    }
}
