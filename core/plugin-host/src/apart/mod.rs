//! The host in a process of its own: an empty root, its own namespaces, no capabilities, a filter, and one socket, to the
//! daemon. What a component breaks out of, it finds itself nowhere.
//!
//! A walk. The daemon's side: [`ApartHost`] (`client`) starts the process and starts it again when it ends; a
//! [`Remote`] (`remote`) stands for a plugin that was loaded there and fills the ports of the model, each call a
//! [`crate::Question`] over the socket (`wire`, `frames`, `outgoing`). What the guest asks of the host comes back the same way and is
//! done by the daemon (`asker`), after `guard` has held it against the grant: the other side is not believed, and gets no secret,
//! only marks that stand for some (`veil`). The process's side:
//! `confine` gives everything up, `blocking` listens, `serve` loads and calls, `proxy` is what stands there for the daemon's services.
//! Compiling is a child of the same kind.

mod asker;
mod blocking;
mod client;
mod confine;
mod frames;
mod guard;
#[cfg(feature = "planted-hole")]
mod hole;
mod outgoing;
mod proxy;
mod remote;
mod serve;
mod veil;
mod wire;

pub use client::{ApartHost, HostProgram};
pub use confine::confine_compiler;
pub use remote::Remote;
pub use serve::serve_stdin;
