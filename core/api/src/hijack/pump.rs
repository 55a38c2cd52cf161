//! Moves an attached session's bytes: output to the client, in frames or bare; the client's bytes to standard input.

use super::{Wire, detach::DetachKeys};
use crate::frames;
use davit_engine::{Attached, StdinSink};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long a client may take to close its side once the session is over.
const LINGER: Duration = Duration::from_secs(5);

/// Runs a session to its end: the process's end, the detach keys, or a client that takes no more.
pub(crate) async fn run(wire: Wire, mut attached: Attached, keys: Option<DetachKeys>) {
    let (mut from_client, mut to_client) = tokio::io::split(wire);
    let stdin = attached.stdin.take();
    let input = async {
        let detached = match stdin {
            Some(sink) => feed(&mut from_client, sink, keys).await,
            None => false,
        };
        // The end of input is not the end of the session; the detach keys are.
        if !detached {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = drain(&mut attached, &mut to_client) => {}
        () = input => {}
    }
    // Bytes left unread at the close would reach the client as a reset instead of an end.
    let _ = to_client.shutdown().await;
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(&mut from_client, &mut tokio::io::sink())).await;
}

/// Tells in the stream why there is none.
pub(crate) async fn refuse(wire: &mut Wire, tty: bool, why: &str) {
    let line = format!("{why}\r\n");
    let bytes = if tty { line.into() } else { frames::frame(2, line.as_bytes()) };
    if let Err(e) = wire.write_all(&bytes).await {
        tracing::debug!("an attached client takes no more: {e}");
    }
    let _ = wire.shutdown().await;
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(wire, &mut tokio::io::sink())).await;
}

/// Writes output until there is no more of it.
async fn drain(attached: &mut Attached, client: &mut (impl AsyncWrite + Unpin)) {
    let tty = attached.tty;
    loop {
        let piece = match attached.next().await {
            Ok(Some(output)) if tty => output.bytes,
            Ok(Some(output)) => frames::frame(output.stream, &output.bytes),
            Ok(None) => return,
            Err(e) if tty => return tracing::warn!("attached output: {e}"),
            Err(e) => frames::failure(&e.to_string()),
        };
        if let Err(e) = client.write_all(&piece).await {
            return tracing::debug!("an attached client takes no more: {e}");
        }
    }
}

/// Passes the client's bytes on until their end; true where the client detached.
async fn feed(client: &mut (impl AsyncRead + Unpin), mut sink: StdinSink, mut keys: Option<DetachKeys>) -> bool {
    let mut piece = vec![0; 32 * 1024];
    loop {
        let read = match client.read(&mut piece).await {
            Ok(0) => break,
            Ok(n) => piece.get(..n).unwrap_or_default(),
            Err(e) => {
                tracing::debug!("an attached client's input: {e}");
                break;
            }
        };
        let (bytes, detached) = match &mut keys {
            Some(keys) => keys.filter(read),
            None => (read.into(), false),
        };
        if let Err(e) = sink.write(&bytes).await {
            tracing::debug!("standard input: {e}");
            return false;
        }
        if detached {
            return true;
        }
    }
    if let Err(e) = sink.close().await {
        tracing::debug!("closing standard input: {e}");
    }
    false
}
