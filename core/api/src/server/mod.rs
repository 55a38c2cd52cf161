//! The HTTP server: listeners, connections, and what stands around every request.
//!
//! A walk. [`listen`] makes a socket that only its owner and group reach. [`serve`] accepts connections; each becomes
//! a task in which hyper speaks HTTP/1.1 over a [`crate::hijack::intercept::Intercept`]. Every request passes
//! [`front`]: version prefix off, caller in, headers on, one line of log. This module knows no routes and no engine.

pub(crate) mod front;
mod listener;
mod peer;

pub use listener::{ListenError, Listener, listen};
pub(crate) use peer::{Gone, Peer};

use crate::hijack::intercept::Intercept;
use axum::Router;
use front::Front;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long requests in flight may go on after the shutdown began.
const GRACE: Duration = Duration::from_secs(3);
/// How long a connection may take to send a request's head, or stay idle between two.
const HEAD_DEADLINE: Duration = Duration::from_secs(300);
/// Bytes of a request's head at most.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// Header lines at most.
pub(crate) const MAX_HEADERS: usize = 128;

/// Serves `router` on all `listeners` until `stop` is cancelled; then takes no new connections, and gives requests in
/// flight a few seconds to end.
pub async fn serve(listeners: Vec<Listener>, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let acceptors: Vec<_> = listeners
        .into_iter()
        .map(|l| tokio::spawn(accept(l, router.clone(), connections.clone(), stop.clone())))
        .collect();
    for acceptor in acceptors {
        if let Err(e) = acceptor.await {
            tracing::error!("a listener ended: {e}");
        }
    }
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::info!(left = connections.len(), "connections were cut at shutdown");
    }
}

async fn accept(listener: Listener, router: Router, connections: TaskTracker, stop: CancellationToken) {
    let Listener::Unix(listener) = listener;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let peer = match Peer::of_unix(&stream) {
                    Ok(peer) => peer,
                    Err(e) => {
                        tracing::debug!("a connection that says not whose it is: {e}");
                        continue;
                    }
                };
                connections.spawn(connection(stream, peer, router.clone(), stop.clone()));
            }
            // Out of descriptors, most likely: waiting lets others end, spinning does not.
            Err(e) => {
                tracing::warn!("accept: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection<S>(stream: S, peer: Peer, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let gone = peer.gone();
    let front = Arc::new(Front::new(router, peer));
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .half_close(true)
        .max_headers(MAX_HEADERS)
        .max_buf_size(4 * MAX_HEAD)
        .serve_connection(TokioIo::new(Intercept::new(stream)), service)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let mut stopping = false;
    let end = loop {
        tokio::select! {
            end = serving.as_mut() => break end,
            // With half-close hyper does not look for a client that left, and a wait can take for ever.
            () = gone.wait() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(e) = end {
        tracing::debug!("connection: {e}");
    }
}
