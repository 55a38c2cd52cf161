//! The streams of a container, joined to ours: input to it, output and error from it, until it has no more to say.

use crate::{
    connect::Hijacked,
    detach_keys::{DetachKeys, Typed},
    error::{Error, Result},
};
use davit_api_types::stream::{Decoder, Stream};
use std::io::Read;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

const PIECE: usize = 32 * 1024;

/// How the streams are joined.
#[derive(Debug)]
pub(crate) struct Session {
    /// Whether the bytes are a terminal's: no frames.
    pub(crate) tty: bool,
    /// Whether our standard input goes to the container.
    pub(crate) stdin: bool,
    /// What is pressed to leave; none without a terminal of ours.
    pub(crate) detach_keys: Option<DetachKeys>,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The container closed its output.
    Output,
    /// The user left it running.
    Detached,
}

impl Session {
    /// Joins the streams until one side ends.
    pub(crate) async fn join(self, hijacked: Hijacked) -> Result<Ended> {
        let framed = hijacked.framed.unwrap_or(!self.tty) && !self.tty;
        let (reader, writer) = tokio::io::split(hijacked.io);
        let input = async { if self.stdin { send(writer, self.detach_keys).await } else { hold(writer).await } };
        tokio::select! {
            received = show(reader, framed) => received.map(|()| Ended::Output),
            () = input => Ok(Ended::Detached),
        }
    }
}

/// Keeps a writing half open and unused: dropping it might be taken for its end.
async fn hold(writer: impl AsyncWrite) {
    std::future::pending::<()>().await;
    drop(writer);
}

/// Sends what is typed; returns only when the user detaches.
async fn send(mut writer: impl AsyncWrite + Unpin, mut keys: Option<DetachKeys>) {
    let mut typed = read_stdin();
    while let Some(bytes) = typed.recv().await {
        let (bytes, detach) = match keys.as_mut().map(|k| k.feed(&bytes)) {
            None => (bytes, false),
            Some(Typed::Send(bytes)) => (bytes, false),
            Some(Typed::Detach(bytes)) => (bytes, true),
        };
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            // The container takes no more; its output says the rest.
            return hold(writer).await;
        }
        if detach {
            return;
        }
    }
    // The end of our input is the end of the container's; its output goes on.
    let _ = writer.shutdown().await;
    hold(writer).await;
}

/// Reads standard input on a thread of its own, which ends with the process: such a read cannot be called off.
fn read_stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        loop {
            match std::io::stdin().lock().read(&mut buffer) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
                Ok(n) => {
                    let piece = buffer.get(..n).unwrap_or(&[]).to_vec();
                    if sender.blocking_send(piece).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receiver
}

/// Shows what the container writes, until it ends.
async fn show(mut reader: impl AsyncRead + Unpin, framed: bool) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut output = Output::new(framed);
    loop {
        let n = match reader.read(&mut buffer).await {
            Ok(n) => n,
            // A daemon that ends without a shutdown of the socket: the container's status tells the rest.
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(e) => return Err(Error::io("read", "the container's output")(e)),
        };
        if n == 0 {
            return output.end();
        }
        output.write(buffer.get(..n).unwrap_or(&[])).await?;
    }
}

/// Standard output and error as places for a container's bytes. Written off the reactor: a slow reader of ours must
/// stop neither signals nor input.
pub(crate) struct Output {
    decoder: Option<Decoder>,
    out: tokio::io::Stdout,
    err: tokio::io::Stderr,
}

impl Output {
    pub(crate) fn new(framed: bool) -> Self {
        Self { decoder: framed.then(Decoder::new), out: tokio::io::stdout(), err: tokio::io::stderr() }
    }

    /// Writes bytes as they came from the wire.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(decoder) = self.decoder.as_mut() else {
            self.out.write_all(bytes).await.map_err(Error::output)?;
            return self.out.flush().await.map_err(Error::output);
        };
        let mut pieces = Vec::new();
        decoder.feed(bytes, |stream, piece| pieces.push((stream, piece))).map_err(|e| Error::Failed(e.to_string()))?;
        for (stream, piece) in pieces {
            match stream {
                Stream::Stderr => {
                    self.err.write_all(piece).await.map_err(Error::output)?;
                    self.err.flush().await.map_err(Error::output)?;
                }
                Stream::System => return Err(Error::Failed(String::from_utf8_lossy(piece).into_owned())),
                Stream::Stdin | Stream::Stdout => {
                    self.out.write_all(piece).await.map_err(Error::output)?;
                    self.out.flush().await.map_err(Error::output)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the stream may end here.
    pub(crate) fn end(&self) -> Result<()> {
        match &self.decoder {
            Some(decoder) if !decoder.is_between_frames() => {
                Err(Error::Failed("the container's output ended within a frame: the daemon may have gone".to_owned()))
            }
            _ => Ok(()),
        }
    }
}
