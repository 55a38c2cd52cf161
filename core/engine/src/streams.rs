//! A process's standard streams on this daemon's side: the writing end of its input, the terminal, pipes of an exec.

use crate::{
    EngineError,
    logs::Output,
    polled::{self, Polled},
};
use bytes::Bytes;
use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
    sync::mpsc,
};

/// What is read at once; the kernel's default size of a pipe.
const PIECE: usize = 64 * 1024;

/// Where a process's input goes.
#[derive(Debug)]
pub(crate) enum Stdin {
    /// Not open, or closed.
    Closed,
    /// A FIFO or pipe.
    Pipe(pipe::Sender),
    /// A terminal.
    Terminal(Arc<Terminal>),
}

impl Stdin {
    /// Writes all; waits while the process does not read.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let written = match self {
            Self::Closed => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
            Self::Pipe(pipe) => pipe.write_all(bytes).await,
            Self::Terminal(terminal) => terminal.write(bytes).await,
        };
        written.map_err(|e| EngineError::internal("writing to standard input", e))
    }

    /// The process sees the end of its input; a terminal has none (a client sends ^D).
    pub(crate) fn close(&mut self) {
        if !matches!(self, Self::Terminal(_)) {
            *self = Self::Closed;
        }
    }

    /// The process has ended: nothing is written to any more.
    pub(crate) fn end(&mut self) {
        *self = Self::Closed;
    }
}

/// The master side of a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Terminal(Polled<OwnedFd>);

impl Terminal {
    pub(crate) fn new(master: OwnedFd) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&master)?;
        rustix::fs::fcntl_setfl(&master, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok(Self(polled::both(master)?))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        polled::fd(&self.0)
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|_| Ok(rustix::io::write(self.fd(), bytes)?)) {
                Ok(written) => bytes = bytes.get(written?..).unwrap_or_default(),
                Err(_not_ready) => {}
            }
        }
        Ok(())
    }

    /// The next output; none when the other side is closed.
    pub(crate) async fn read(&self) -> io::Result<Option<Bytes>> {
        let mut buffer = vec![0; PIECE];
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|_| Ok(rustix::io::read(self.fd(), &mut buffer)?)) {
                // Linux says EIO when the last process has closed the terminal (tty(4)).
                Ok(Err(e)) if e.raw_os_error() == Some(nix::libc::EIO) => return Ok(None),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(n)) => {
                    buffer.truncate(n);
                    return Ok(Some(buffer.into()));
                }
                Ok(Err(e)) => return Err(e),
                Err(_not_ready) => {}
            }
        }
    }

    /// Another descriptor of it.
    pub(crate) fn copy(&self) -> io::Result<OwnedFd> {
        self.fd().try_clone_to_owned()
    }

    /// Sets its size in characters.
    pub(crate) fn resize(&self, rows: u16, cols: u16) -> io::Result<()> {
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(self.fd(), size)?)
    }
}

/// A pipe: this daemon's end, and the process's.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), EngineError> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| EngineError::internal("making a pipe", e))
}

/// The writing end of a pipe for tokio.
pub(crate) fn sender(fd: OwnedFd) -> Result<pipe::Sender, EngineError> {
    pipe::Sender::from_owned_fd(fd).map_err(|e| EngineError::internal("taking over a pipe", e))
}

/// Reads a pipe to its end and passes on what comes. Where nobody listens (any more) it is read all the same, and dropped:
/// the process must not block on a full pipe, nor end at a closed one.
pub(crate) async fn relay(fd: OwnedFd, stream: u8, output: mpsc::Sender<Output>) -> io::Result<()> {
    let mut pipe = pipe::Receiver::from_owned_fd(fd)?;
    loop {
        let mut piece = bytes::BytesMut::with_capacity(PIECE);
        if pipe.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        let piece = Output { time: jiff::Timestamp::now(), stream, bytes: piece.freeze() };
        let _ = output.send(piece).await;
    }
}

/// As [`relay`], for a terminal.
pub(crate) async fn relay_terminal(terminal: Arc<Terminal>, output: mpsc::Sender<Output>) -> io::Result<()> {
    while let Some(bytes) = terminal.read().await? {
        let _ = output.send(Output { time: jiff::Timestamp::now(), stream: 1, bytes }).await;
    }
    Ok(())
}
