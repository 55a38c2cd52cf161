//! The host process's end of the socket. It waits in the kernel, in a thread that does nothing else: an asynchronous socket
//! would bring an epoll instance, and tokio's driver more sockets with it; this process has one.

use super::{frames, wire::FromHost};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::{
    collections::VecDeque,
    io::{self, IoSliceMut, Write as _},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, BufReader, ReadBuf};

/// What the daemon says.
pub(super) struct Incoming(BufReader<Blocking>);

/// A reader that waits where it reads.
struct Blocking {
    socket: UnixStream,
    /// Those that came with what was read; each belongs to a message that has come, or is about to.
    descriptors: VecDeque<OwnedFd>,
}

impl Incoming {
    pub(super) fn of(socket: UnixStream) -> Self {
        Self(BufReader::with_capacity(frames::AT_A_TIME, Blocking { socket, descriptors: VecDeque::new() }))
    }

    /// The next message; none: the daemon is gone.
    pub(super) async fn next<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        frames::receive(&mut self.0).await
    }

    /// The descriptor that came with the message that was taken.
    pub(super) fn descriptor(&mut self) -> Option<OwnedFd> {
        self.0.get_mut().descriptors.pop_front()
    }
}

impl AsyncRead for Blocking {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let read = rustix::io::retry_on_intr(|| {
            let mut buffer = [IoSliceMut::new(into.initialize_unfilled())];
            rustix::net::recvmsg(&self.socket, &mut buffer, &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        let bytes = match read {
            Ok(read) => read.bytes,
            Err(e) => return Poll::Ready(Err(e.into())),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        into.advance(bytes);
        Poll::Ready(Ok(()))
    }
}

/// Says things to the daemon. Who says something waits until the socket has it: a flood of a guest's goes as fast as the
/// daemon listens, and holds up that guest.
pub(super) struct Said(Mutex<UnixStream>);

impl Said {
    pub(super) fn over(socket: UnixStream) -> Self {
        Self(Mutex::new(socket))
    }

    /// Where the daemon is gone this process ends soon.
    pub(super) fn say(&self, message: &FromHost) {
        if let Ok(frame) = frames::frame(message) {
            let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apart::{outgoing::Outgoing, wire::ToHost};
    use std::{
        fs::File,
        io::{Read as _, Seek as _},
    };

    // Reading waits in the kernel: what sends meanwhile has a thread of its own.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_descriptor_comes_with_its_message_between_others() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (_from, to) = tokio::net::UnixStream::from_std(ours).unwrap().into_split();
        let outgoing = Outgoing::over(to);
        for plugin in 0..3 {
            let mut file = tempfile::tempfile().unwrap();
            write!(file, "form {plugin}").unwrap();
            file.rewind().unwrap();
            outgoing.send(frames::frame(&ToHost::Unload { plugin }).unwrap(), None);
            outgoing.send(frames::frame(&ToHost::Unload { plugin: plugin + 100 }).unwrap(), Some(file.into()));
        }
        let mut incoming = Incoming::of(theirs);
        for plugin in 0..3 {
            let first: ToHost = incoming.next().await.unwrap().unwrap();
            assert!(matches!(first, ToHost::Unload { plugin: n } if n == plugin));
            let second: ToHost = incoming.next().await.unwrap().unwrap();
            assert!(matches!(second, ToHost::Unload { plugin: n } if n == plugin + 100));
            let mut text = String::new();
            File::from(incoming.descriptor().unwrap()).read_to_string(&mut text).unwrap();
            assert_eq!(text, format!("form {plugin}"));
        }
        assert!(incoming.descriptor().is_none());
    }
}
