//! Reads an answer's body, with a deadline on each read.

use crate::{ErrorKind, exchange::Answered, failure};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// The next piece of a body; none at its end.
pub(crate) async fn next(answered: &mut Answered, stall: Duration) -> Result<Option<Bytes>, ErrorKind> {
    match tokio::time::timeout(stall, answered.response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(failure::transport(&answered.origin, &error, stall)),
        Err(_) => {
            Err(ErrorKind::Timeout { address: answered.origin.as_str().to_owned(), wanted: "send data", after: stall })
        }
    }
}

/// A whole body of at most `limit` bytes.
pub(crate) async fn read_all(mut answered: Answered, limit: u64, stall: Duration) -> Result<Bytes, ErrorKind> {
    let mut whole = BytesMut::new();
    while let Some(piece) = next(&mut answered, stall).await? {
        let length = (whole.len() + piece.len()) as u64;
        if length > limit {
            return Err(ErrorKind::SizeMismatch { expected: limit, received: length });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// As much of a failed answer's body as can be had.
pub(crate) async fn read_some(answered: Answered, limit: u64, stall: Duration) -> Bytes {
    read_all(answered, limit, stall).await.unwrap_or_default()
}
