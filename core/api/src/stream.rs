//! Bodies that go on: progress, logs, events. Each piece is sent as it comes; a client that stops reading holds up
//! its own stream only.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use std::{convert::Infallible, future::Future};

/// An answer whose headers go out now, and whose pieces come from `next` until it gives none.
pub(crate) fn answer<S, F, T>(content_type: &'static str, state: S, next: F) -> Response
where
    S: Send + 'static,
    F: FnMut(S) -> T + Send + 'static,
    T: Future<Output = Option<(Bytes, S)>> + Send + 'static,
{
    let mut next = next;
    let pieces = stream::unfold(state, move |state| {
        let piece = next(state);
        async move { piece.await.map(|(bytes, state)| (Ok::<_, Infallible>(bytes), state)) }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// One JSON value as a line.
pub(crate) fn line(value: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.extend_from_slice(b"\r\n");
    text.into()
}
