//! The host with real components: misbehaving ones, the shipped ones, and how a call lives and ends.

mod calls;
mod misbehaving;
mod shipped_auth;
mod shipped_lifecycle;
mod shipped_network;
mod shipped_storage;
mod support;
mod token_endpoint;
