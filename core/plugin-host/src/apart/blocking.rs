//! The host process's end of the socket: each direction has a thread of its own that waits in the kernel. An asynchronous
//! socket would bring an epoll instance, and tokio's driver more sockets with it; this process has one.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads and writes that wait where they are made: for a thread that does nothing else.
pub(super) struct Blocking(pub(super) UnixStream);

impl AsyncRead for Blocking {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = retried(|| (&self.0).read(into.initialize_unfilled()));
        Poll::Ready(read.map(|n| into.advance(n)))
    }
}

impl AsyncWrite for Blocking {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(retried(|| (&self.0).write(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(std::net::Shutdown::Write))
    }
}

fn retried(mut once: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match once() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
