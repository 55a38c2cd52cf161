//! Frames on the socket: a length (32 bits, little-endian) and a JSON message.

use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The largest message; plans, requests and answers are far below.
const LARGEST_MESSAGE: usize = 64 << 20;
const HEAD: usize = 4;
/// What one read of either side takes at most; messages are mostly smaller.
pub(super) const AT_A_TIME: usize = 64 << 10;

/// A frame, ready to be sent.
pub(super) fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEAD];
    serde_json::to_writer(&mut frame, message)?;
    let of = frame.len() - HEAD;
    let length = u32::try_from(of).ok().filter(|_| of <= LARGEST_MESSAGE);
    let length = length
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("a message of {of} bytes is too long")))?;
    for (at, byte) in frame.iter_mut().zip(length.to_le_bytes()) {
        *at = byte;
    }
    Ok(frame)
}

/// The next message; none: the other side is gone.
pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let mut head = [0u8; HEAD];
    match from.read_exact(&mut head).await {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if length > LARGEST_MESSAGE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    Ok(Some(serde_json::from_slice(&exactly(from, length).await?)?))
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
        let sent = frame(&("hello", 7)).unwrap();
        let mut from = sent.as_slice();
        let message: (String, u8) = receive(&mut from).await.unwrap().unwrap();
        assert_eq!(message, ("hello".to_owned(), 7));
        assert!(receive::<(String, u8)>(&mut from).await.unwrap().is_none(), "the end");
        assert!(receive::<(String, u8)>(&mut &sent[..sent.len() - 1]).await.is_err(), "cut");
        let huge = [0xff_u8; 8];
        assert!(receive::<(String, u8)>(&mut &huge[..]).await.is_err());
    }
}
