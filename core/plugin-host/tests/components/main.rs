//! The host with real components: misbehaving ones, the shipped ones, and how a call lives and ends.
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, and not what they share")]

mod calls;
mod misbehaving;
mod shipped_auth;
mod shipped_lifecycle;
mod shipped_network;
mod shipped_storage;
mod support;
mod token_endpoint;
