//! Reading a blob while it is written. The page cache is the buffer: nothing is held twice, and a resumed transfer is
//! read from its first byte.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Finished,
    Failed(&'static str),
}

/// How far the writer is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    now: Mutex<(u64, State)>,
    changed: Condvar,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, (u64, State)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn advance(&self, offset: u64) {
        self.lock().0 = offset;
        self.changed.notify_all();
    }

    /// Back to the start. A follower that has read further waits until that much is there again; that it was the same
    /// is for the digest to say.
    pub(super) fn rewind(&self) {
        self.lock().0 = 0;
    }

    pub(super) fn finish(&self) {
        self.lock().1 = State::Finished;
        self.changed.notify_all();
    }

    /// Ends an open transfer; one that is finished stays so.
    pub(super) fn fail(&self, why: &'static str) {
        let mut now = self.lock();
        if now.1 == State::Open {
            now.1 = State::Failed(why);
        }
        drop(now);
        self.changed.notify_all();
    }
}

/// Blocks in `read` until there are bytes, the blob is complete and checked (end of file), or its writer is gone
/// (error). The writer's own deadlines bound the wait.
#[derive(Debug)]
pub struct BlobFollower {
    file: File,
    position: u64,
    progress: Arc<Progress>,
}

impl BlobFollower {
    pub(super) fn new(file: File, progress: Arc<Progress>) -> Self {
        Self { file, position: 0, progress }
    }
}

impl BlobFollower {
    /// Waits for bytes past the position; 0 at the end.
    fn wait(&self) -> io::Result<u64> {
        let mut now = self.progress.lock();
        loop {
            match *now {
                (offset, _) if offset > self.position => return Ok(offset - self.position),
                (_, State::Finished) => return Ok(0),
                (_, State::Failed(why)) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)),
                (_, State::Open) => {
                    now = self.progress.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Read for BlobFollower {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let there = usize::try_from(self.wait()?).unwrap_or(usize::MAX);
            let length = there.min(buffer.len());
            let n = self.file.read_at(buffer.get_mut(..length).unwrap_or_default(), self.position)?;
            self.position += u64::try_from(n).unwrap_or(0);
            // Nothing, where bytes were promised: the writer has begun anew meanwhile.
            if n > 0 || length == 0 {
                return Ok(n);
            }
        }
    }
}
