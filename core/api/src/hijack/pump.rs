//! Moves an attached session's bytes: output to the client, in frames or bare; the client's bytes to standard input.

use super::{Wire, detach::DetachKeys};
use crate::{frames, server::Gone};
use davit_engine::{Attached, StdinSink};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long a client may take to close its side once the session is over.
const LINGER: Duration = Duration::from_secs(5);

/// Runs a session to its end: the process's end, the detach keys, or a client that leaves.
pub(crate) async fn run(wire: Wire, mut attached: Attached, keys: Option<DetachKeys>, gone: Option<Gone>) {
    let (mut from_client, mut to_client) = tokio::io::split(wire);
    let stdin = attached.stdin.take();
    let mut fed = stdin.is_none();
    let mut input = Box::pin(async {
        match stdin {
            Some(sink) => feed(&mut from_client, sink, keys).await,
            None => false,
        }
    });
    let mut output = Box::pin(drain(attached, &mut to_client));
    let left = loop {
        tokio::select! {
            left = &mut output => break left,
            () = leaves(gone.as_ref()) => break true,
            // The end of input is not the end of the session; the detach keys are.
            detached = &mut input, if !fed => match detached {
                true => break false,
                false => fed = true,
            },
        }
    };
    drop(output);
    // What a client has sent before it left is the process's all the same, and then the end of its input.
    if left && !fed {
        input.as_mut().await;
    }
    drop(input);
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

/// Writes output until there is no more of it; true where the client is gone before.
async fn drain(mut attached: Attached, client: &mut (impl AsyncWrite + Unpin)) -> bool {
    let tty = attached.tty;
    loop {
        let piece = match attached.next().await {
            Ok(Some(output)) if tty => output.bytes,
            Ok(Some(output)) => frames::frame(output.stream, &output.bytes),
            Ok(None) => return false,
            Err(e) if tty => {
                tracing::warn!("attached output: {e}");
                return false;
            }
            Err(e) => frames::failure(&e.to_string()),
        };
        if let Err(e) = client.write_all(&piece).await {
            tracing::debug!("an attached client takes no more: {e}");
            return true;
        }
    }
}

/// Until the client has left. One that nobody watches shows it by taking no more.
async fn leaves(gone: Option<&Gone>) {
    match gone {
        Some(gone) => gone.wait().await,
        None => std::future::pending().await,
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
