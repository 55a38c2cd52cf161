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

    /// Back to the start. A follower that has read more than is there again waits until it is.
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

impl Read for BlobFollower {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = {
            let mut now = self.progress.lock();
            loop {
                match *now {
                    (offset, _) if offset > self.position => break offset - self.position,
                    (_, State::Finished) => return Ok(0),
                    (_, State::Failed(why)) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)),
                    (_, State::Open) => {
                        now = self.progress.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            }
        };
        let length = usize::try_from(there).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(buffer.get_mut(..length).unwrap_or_default(), self.position)?;
        self.position += u64::try_from(n).unwrap_or(0);
        Ok(n)
    }
}
