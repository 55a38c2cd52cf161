//! The launcher: a small process with one thread that forks monitors. [`client`] is how the engine speaks to it,
//! `request` is the fixed-size head of what it is told, `serve` is its loop, `kept` what it
//! holds of a container's output.

pub mod client;
mod kept;
pub(crate) mod request;
mod serve;

pub use serve::serve;
