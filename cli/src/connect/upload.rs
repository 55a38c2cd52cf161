//! A request's body that is made while it is sent: written on a thread of its own, a few pieces ahead of the wire.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame};
use std::{
    fmt,
    io::{self, Write},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Pieces that may wait.
const AHEAD: usize = 4;
/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// What a request carries: bytes at hand, or an upload.
pub(crate) type Payload = Either<Full<Bytes>, Pieces>;

/// A body in the making. It can be sent once.
#[derive(Clone)]
pub(crate) struct Upload {
    pieces: Arc<Mutex<Option<mpsc::Receiver<io::Result<Bytes>>>>>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl Upload {
    /// What `write` writes. It gets an error where nobody wants the rest.
    pub(crate) fn new(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let failure = Arc::new(Mutex::new(None));
        let told = failure.clone();
        std::thread::spawn(move || {
            let mut out = Sender(sender);
            let mut buffered = io::BufWriter::with_capacity(PIECE, &mut out);
            let written = write(&mut buffered).and_then(|()| buffered.flush());
            drop(buffered);
            if let Err(e) = written {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                // A body that breaks off is an error of the request; nobody is left to tell where this fails.
                let _ = out.0.blocking_send(Err(io::Error::other("the body broke off")));
            }
        });
        Self { pieces: Arc::new(Mutex::new(Some(receiver))), failure }
    }

    /// The body; empty the second time.
    pub(super) fn body(&self) -> Payload {
        match self.pieces.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(receiver) => Either::Right(Pieces(receiver)),
            None => Either::Left(Full::default()),
        }
    }

    /// Why it broke off, where it did by itself.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.filter(|e| e.kind() != io::ErrorKind::BrokenPipe)
    }
}

struct Sender(mpsc::Sender<io::Result<Bytes>>);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pieces as they come.
pub(crate) struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
