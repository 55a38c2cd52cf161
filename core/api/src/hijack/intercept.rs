//! Stands between the socket and hyper. Follows requests from head to head; makes a silent takeover look like an asked
//! one to hyper, and hyper's 101 like a 200 to the client. After a takeover it passes bytes on untouched.

use super::{
    framing::Framing,
    head::{self, Takeover},
};
use crate::server::MAX_HEAD;
use bytes::{Buf, BytesMut};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket with its HTTP requests followed.
#[derive(Debug)]
pub(crate) struct Intercept<S> {
    socket: S,
    /// Read from the socket and not yet given to hyper.
    held: BytesMut,
    reading: Reading,
    writing: Writing,
    /// Waits for the answer that decides what the client's next bytes are.
    reader: Option<Waker>,
}

#[derive(Debug)]
enum Reading {
    /// The next head is being collected.
    Head,
    /// `held` begins with so many bytes of a head.
    Deliver(usize, Framing, Takeover),
    Body(Framing, Takeover),
    /// The request is over; its answer decides what comes next.
    Answer,
    /// Not followed any more.
    Through,
}

#[derive(Debug)]
enum Writing {
    Through,
    /// The head of the answer to a request that may take the connection over. True: 101 is written as 200.
    Answer {
        silent: bool,
        head: BytesMut,
    },
    /// A head that was held back is on its way out. `then`: another answer's head comes behind it.
    Out {
        out: BytesMut,
        then: Option<bool>,
    },
}

impl<S> Intercept<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, held: BytesMut::new(), reading: Reading::Head, writing: Writing::Through, reader: None }
    }

    /// Looks at what is held of a head.
    fn look_at_head(&mut self) {
        let end = self.held.windows(4).position(|w| w == b"\r\n\r\n");
        let Some(end) = end.map(|at| at + 4) else {
            if self.held.len() > MAX_HEAD {
                self.reading = Reading::Through;
            }
            return;
        };
        let Some(found) = self.held.get(..end).and_then(head::parse) else {
            self.reading = Reading::Through;
            return;
        };
        let mut length = end;
        if found.takeover == Takeover::Silent {
            const ADDED: &[u8] = b"Upgrade: tcp\r\n";
            let rest = self.held.split_off(found.first_line);
            self.held.extend_from_slice(ADDED);
            self.held.unsplit(rest);
            length += ADDED.len();
        }
        if found.takeover != Takeover::No {
            self.writing = Writing::Answer { silent: found.takeover == Takeover::Silent, head: BytesMut::new() };
        }
        self.reading = Reading::Deliver(length, found.framing, found.takeover);
    }

    /// The answer's head is complete: decides who reads the client's next bytes.
    fn answered(&mut self, taken_over: bool) {
        self.reading = if taken_over { Reading::Through } else { Reading::Head };
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

/// What follows a body.
fn after_body(takeover: Takeover) -> Reading {
    if takeover == Takeover::No { Reading::Head } else { Reading::Answer }
}

/// Moves at most `limit` held bytes to `buf`; says how many.
fn give(held: &mut BytesMut, buf: &mut ReadBuf<'_>, limit: usize) -> usize {
    let n = limit.min(held.len()).min(buf.remaining());
    buf.put_slice(held.get(..n).unwrap_or_default());
    held.advance(n);
    n
}

impl<S: AsyncRead + Unpin> Intercept<S> {
    /// Reads a piece into `held`; false at the end of the client's sending.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut piece = [0; 8192];
        let mut buf = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf))?;
        self.held.extend_from_slice(buf.filled());
        Poll::Ready(Ok(!buf.filled().is_empty()))
    }

    /// Passes body bytes on; what is read beyond the body's end is held.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut framing: Framing,
        takeover: Takeover,
    ) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
            let read = buf.filled().get(before..).unwrap_or_default();
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let Ok(belongs) = framing.follow(read) else {
                self.reading = Reading::Through;
                return Poll::Ready(Ok(()));
            };
            self.held.extend_from_slice(read.get(belongs..).unwrap_or_default());
            buf.set_filled(before + belongs);
        } else {
            let window = self.held.get(..self.held.len().min(buf.remaining())).unwrap_or_default();
            let Ok(belongs) = framing.follow(window) else {
                self.reading = Reading::Through;
                give(&mut self.held, buf, usize::MAX);
                return Poll::Ready(Ok(()));
            };
            give(&mut self.held, buf, belongs);
        }
        self.reading = if framing.is_done() { after_body(takeover) } else { Reading::Body(framing, takeover) };
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Intercept<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.reading {
                Reading::Through if this.held.is_empty() => return Pin::new(&mut this.socket).poll_read(cx, buf),
                Reading::Through => {
                    give(&mut this.held, buf, usize::MAX);
                    return Poll::Ready(Ok(()));
                }
                Reading::Head => {
                    this.look_at_head();
                    if matches!(this.reading, Reading::Head) && !ready!(this.poll_fill(cx))? {
                        // Half a head and no more to come: hyper says what it thinks of it.
                        this.reading = Reading::Through;
                    }
                }
                Reading::Deliver(left, framing, takeover) => {
                    let left = left - give(&mut this.held, buf, left);
                    this.reading = match left {
                        0 if framing.is_done() => after_body(takeover),
                        0 => Reading::Body(framing, takeover),
                        left => Reading::Deliver(left, framing, takeover),
                    };
                    return Poll::Ready(Ok(()));
                }
                Reading::Body(framing, takeover) => return this.poll_body(cx, buf, framing, takeover),
                Reading::Answer => {
                    this.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

/// The head that a client without `Upgrade` gets in place of a 101.
fn as_200(head: &[u8]) -> BytesMut {
    let mut out = BytesMut::from(&b"HTTP/1.1 200 OK\r\n"[..]);
    for line in head.split_inclusive(|b| *b == b'\n').skip(1) {
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case(b"connection") && !name.eq_ignore_ascii_case(b"upgrade") {
            out.extend_from_slice(line);
        }
    }
    out
}

impl<S: AsyncWrite + Unpin> Intercept<S> {
    /// Writes a head that was held back.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Writing::Out { out, then } = &mut self.writing {
            if out.is_empty() {
                self.writing = match *then {
                    Some(silent) => Writing::Answer { silent, head: BytesMut::new() },
                    None => Writing::Through,
                };
                break;
            }
            let n = ready!(Pin::new(&mut self.socket).poll_write(cx, out))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            out.advance(n);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes bytes of an answer's head; says how many of `bytes` belonged to it.
    fn collect(&mut self, bytes: &[u8]) -> usize {
        let Writing::Answer { silent, head } = &mut self.writing else { return 0 };
        let before = head.len();
        head.extend_from_slice(bytes);
        let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4) else {
            return bytes.len();
        };
        head.truncate(end);
        let (silent, head) = (*silent, std::mem::take(head));
        let status = head.get(9..12).unwrap_or_default();
        if status == b"100" {
            // An interim answer: the real one follows.
            self.writing = Writing::Out { out: head, then: Some(silent) };
            return end - before;
        }
        let taken_over = status == b"101";
        let out = if silent && taken_over { as_200(&head) } else { head };
        self.writing = Writing::Out { out, then: None };
        self.answered(taken_over);
        end - before
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Intercept<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        match this.writing {
            Writing::Answer { .. } => Poll::Ready(Ok(this.collect(bytes))),
            _ => Pin::new(&mut this.socket).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}
