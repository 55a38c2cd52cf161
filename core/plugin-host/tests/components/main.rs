//! The host with real components: misbehaving ones, the shipped ones, and how a call lives and ends.
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, and not what they share")]

mod audit;
mod calls;
mod contained;
mod macvlan;
mod mirror;
mod misbehaving;
mod misbehaving_kinds;
mod quota;
mod shipped_auth;
mod shipped_lifecycle;
mod shipped_network;
mod shipped_storage;
mod signatures;
mod support;
mod token_endpoint;
mod token_exchange;
mod versions;
mod vxlan;
