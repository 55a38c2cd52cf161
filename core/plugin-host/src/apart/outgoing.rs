//! What the daemon says to the host process: at once where the socket takes it, since most that is said is small and
//! waking a task for it costs more than saying it; else in turn, by a task. Nobody who says something waits.

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::Interest,
    net::{UnixStream, unix::OwnedWriteHalf},
    sync::Notify,
};

/// A frame that waits, what of it was sent, and a descriptor that goes with its first byte.
struct Left {
    frame: Vec<u8>,
    sent: usize,
    descriptor: Option<OwnedFd>,
}

/// The sending half.
pub(super) struct Outgoing {
    to: OwnedWriteHalf,
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Left>,
    /// The other side is gone.
    ended: bool,
}

impl Outgoing {
    /// Takes over the sending half; its task runs until [`Outgoing::end`].
    pub(super) fn over(to: OwnedWriteHalf) -> Arc<Self> {
        let outgoing = Arc::new(Self { to, waiting: Mutex::default(), more: Notify::new() });
        tokio::spawn({
            let outgoing = outgoing.clone();
            async move {
                // An error says that the other side is gone, which whoever listens to it sees as well.
                while matches!(outgoing.drain().await, Ok(true)) {}
                outgoing.end();
            }
        });
        outgoing
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a frame, in its turn; after the end, nothing.
    pub(super) fn send(&self, frame: Vec<u8>, descriptor: Option<OwnedFd>) {
        let mut waiting = self.waiting();
        let mut left = Left { frame, sent: 0, descriptor };
        let whole = waiting.frames.is_empty() && left.send(self.to.as_ref()).is_ok_and(|whole| whole);
        if whole || waiting.ended {
            return;
        }
        waiting.frames.push_back(left);
        self.more.notify_one();
    }

    /// Forgets what waits, for good.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.ended = true;
        waiting.frames.clear();
        self.more.notify_one();
    }

    /// Waits until something waits, and sends it; false: there will be no more.
    async fn drain(&self) -> io::Result<bool> {
        self.more.notified().await;
        loop {
            self.to.writable().await?;
            let mut waiting = self.waiting();
            if waiting.ended {
                return Ok(false);
            }
            let Some(first) = waiting.frames.front_mut() else { return Ok(true) };
            if first.send(self.to.as_ref())? {
                waiting.frames.pop_front();
            }
        }
    }
}

impl Left {
    /// Sends what the socket takes now; true: that was all of it.
    fn send(&mut self, to: &UnixStream) -> io::Result<bool> {
        let rest = self.frame.get(self.sent..).unwrap_or_default();
        let descriptor = &self.descriptor;
        let sent = to.try_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let borrowed = descriptor.as_ref().map(|descriptor| [descriptor.as_fd()]);
            if let Some(borrowed) = &borrowed {
                control.push(SendAncillaryMessage::ScmRights(borrowed));
            }
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            Ok(rustix::net::sendmsg(to, &[IoSlice::new(rest)], &mut control, flags)?)
        });
        match sent {
            Ok(sent) => {
                self.sent += sent;
                self.descriptor = None;
                Ok(self.sent == self.frame.len())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[tokio::test]
    async fn frames_arrive_whole_and_in_order_whatever_the_socket_takes() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (_from, to) = UnixStream::from_std(ours).unwrap().into_split();
        let outgoing = Outgoing::over(to);
        // More than any socket buffer holds.
        let frames: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; 100_000]).collect();
        for frame in &frames {
            outgoing.send(frame.clone(), None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut all = vec![0; 4_000_000];
            (&theirs).read_exact(&mut all).map(|()| all)
        });
        assert!(read.await.unwrap().unwrap() == frames.concat());
    }
}
