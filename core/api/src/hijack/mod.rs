//! Connections that stop speaking HTTP: attach and exec. With `Upgrade` the answer is `101 UPGRADED`; without it
//! `200 OK`, and the connection is taken over all the same.
//!
//! A walk. hyper only lets go of a connection after 101, and only where the request had an `Upgrade` header. So
//! [`intercept`] stands under hyper: it finds each request's head ([`head`] reads it, [`framing`] finds the end of its
//! body), adds the header where an old client left it out, and writes `200 OK` in place of the 101. Handlers see one
//! kind of request: they take a [`Hijack`] and give it a session ([`pump`] moves the bytes).

pub(crate) mod detach;
mod framing;
mod head;
pub(crate) mod intercept;
pub(crate) mod pump;

use crate::{
    failure::ApiError,
    server::{Gone, Peer},
    version::ApiVersion,
};
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use davit_api_types::stream::{MULTIPLEXED, RAW};
use hyper::{ext::ReasonPhrase, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use std::future::Future;

/// A client's bytes after HTTP has ended on its connection.
pub(crate) type Wire = TokioIo<hyper::upgrade::Upgraded>;

/// A request whose connection can be taken over.
pub(crate) struct Hijack {
    upgrade: Option<OnUpgrade>,
    version: ApiVersion,
    peer: Option<Peer>,
}

impl<S: Sync> FromRequestParts<S> for Hijack {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            upgrade: parts.extensions.remove::<OnUpgrade>(),
            version: parts.extensions.get().copied().unwrap_or_else(ApiVersion::newest),
            peer: parts.extensions.get().cloned(),
        })
    }
}

impl Hijack {
    /// Takes the connection over. `session` gets the client's bytes once the answer is out, and what tells that the client
    /// has left.
    pub(crate) fn accept<F, T>(self, tty: bool, session: F) -> Response
    where
        F: FnOnce(Wire, Option<Gone>) -> T + Send + 'static,
        T: Future<Output = ()> + Send,
    {
        let Some(upgrade) = self.upgrade else {
            return ApiError::invalid("unable to upgrade to a raw stream: HTTP/1.1 is needed").into_response();
        };
        let peer = self.peer;
        tokio::spawn(async move {
            let wire = match upgrade.await {
                Ok(upgraded) => TokioIo::new(upgraded),
                Err(e) => return tracing::debug!("the connection was not handed over: {e}"),
            };
            session(wire, peer.map(|p| p.gone())).await;
        });
        let content_type = if !tty && self.version >= ApiVersion::MULTIPLEXED { MULTIPLEXED } else { RAW };
        let answer = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .extension(ReasonPhrase::from_static(b"UPGRADED"))
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "tcp")
            .body(Body::empty());
        answer.unwrap_or_else(|e| ApiError::invalid(e.to_string()).into_response())
    }
}

#[cfg(test)]
mod tests;
