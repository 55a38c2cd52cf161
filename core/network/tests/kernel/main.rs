//! Networks in a real kernel, a file for each kernel object. Every test is in network namespaces of its own: the "host" is
//! one too, so that the machine's own namespace is never touched. They need root.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test ends where something is not as it should be")]

mod bridge;
mod host;
mod macvlan;
mod port;
mod undo;
mod uplink;
mod veth;
mod vxlan;
mod world;
