//! The way to the daemon: an address ([`host`]), a byte stream to it ([`transport`], [`tls`]), requests over that
//! stream ([`call`], [`client`]), and a daemon where there is none ([`autostart`]).
//!
//! Hyper's client connection is used directly: answers stay JSON as the daemon wrote them, streams are taken over,
//! and each request has a connection of its own, which costs microseconds on a unix socket.

mod autostart;
mod call;
mod client;
mod host;
mod tls;
mod transport;
mod upload;

pub(crate) use autostart::{Autostart, Roots, start};
pub(crate) use call::{Call, segment};
pub(crate) use client::{Client, Hijacked};
pub(crate) use host::{Host, TlsFiles};
pub(crate) use transport::{Duplex, dial};
pub(crate) use upload::Upload;
