//! Frames on the socket: two lengths (32 bits, little-endian), a JSON message, and bytes that travel with it.

use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The largest message; plans, requests and answers are far below.
const LARGEST_MESSAGE: usize = 64 << 20;
/// The largest attachment: a compiled form.
const LARGEST_BYTES: usize = 512 << 20;

/// A frame, ready to be sent.
pub(super) fn frame(message: &impl Serialize, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(message)?;
    let length = |of: usize, most: usize| {
        let fits = u32::try_from(of).ok().filter(|_| of <= most);
        fits.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("a message of {of} bytes is too long")))
    };
    let mut frame = Vec::with_capacity(8 + json.len() + bytes.len());
    frame.extend_from_slice(&length(json.len(), LARGEST_MESSAGE)?.to_le_bytes());
    frame.extend_from_slice(&length(bytes.len(), LARGEST_BYTES)?.to_le_bytes());
    frame.extend_from_slice(&json);
    frame.extend_from_slice(bytes);
    Ok(frame)
}

/// Sends frames until nobody makes any more, or the other side is gone.
pub(super) async fn send(
    mut to: impl AsyncWrite + Unpin,
    mut frames: tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(frame) = frames.recv().await {
        to.write_all(&frame).await?;
    }
    to.shutdown().await
}

/// The next message with its bytes; none: the other side is gone. `with_bytes`: whether any may come with it.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    with_bytes: bool,
) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut head = [0u8; 8];
    match from.read_exact(&mut head).await {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let [a, b, c, d, e, f, g, h] = head;
    let length = |bytes: [u8; 4], most: usize| {
        let length = usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes"));
        if length > most { Err(bad()) } else { Ok(length) }
    };
    let (message, bytes) =
        (length([a, b, c, d], LARGEST_MESSAGE)?, length([e, f, g, h], if with_bytes { LARGEST_BYTES } else { 0 })?);
    let json = exactly(from, message).await?;
    let bytes = exactly(from, bytes).await?;
    Ok(Some((serde_json::from_slice(&json)?, bytes)))
}

/// Grows as it comes: a length that was only claimed takes no memory.
async fn exactly(from: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(1 << 20));
    let read = from.take(length as u64).read_to_end(&mut bytes).await?;
    if read == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_comes_as_it_was_sent_and_a_claim_is_not_believed() {
        let sent = frame(&("hello", 7), b"bytes").unwrap();
        let mut from = sent.as_slice();
        let (message, bytes): ((String, u8), _) = receive(&mut from, true).await.unwrap().unwrap();
        assert_eq!((message, bytes), (("hello".to_owned(), 7), b"bytes".to_vec()));
        assert!(receive::<(String, u8)>(&mut from, true).await.unwrap().is_none(), "the end");
        assert!(receive::<(String, u8)>(&mut sent.as_slice(), false).await.is_err(), "bytes where none may come");
        assert!(receive::<(String, u8)>(&mut &sent[..12], true).await.is_err(), "cut");
        let huge = [0xff_u8; 8];
        assert!(receive::<(String, u8)>(&mut &huge[..], true).await.is_err());
    }
}
