//! The API: the Docker Engine API, and `/davit/v1` for what it lacks, over unix sockets.
//!
//! A walk. [`serve`] takes sockets ([`listen`] makes them) and the [`router`] of an engine. A request passes
//! `server::front` (version prefix off, caller in, headers on) and reaches its handler in `routes`: one file a verb, with
//! the same name as in `core/engine` and `cli`. `extract` and `filters` read what a client says, `create` turns its
//! longest request into a `ContainerSpec`; `show` says back what the engine knows. Attach and exec leave HTTP: `hijack`.
//! This crate knows the engine's methods and the wire, and nothing of kernels, plugins or where files are.
#![recursion_limit = "256"]

mod create;
mod extract;
mod failure;
mod filters;
mod frames;
mod hijack;
mod routes;
mod server;
mod show;
mod stream;
mod version;

pub use routes::router;
pub use server::{ListenError, Listener, listen, serve};
